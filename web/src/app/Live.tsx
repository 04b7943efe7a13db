/** Feeds the event stream into the caches that the page shows: sales as they are, orders as they are settled. */
import { useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { onSessionChange, useSession } from "@/features/account/session";
import { ordersChangedInOtherTab } from "@/features/orders/orders";
import { presses } from "@/features/orders/presses";
import { readServerTime, salesQuery } from "@/features/sales/sales";
import type { Sales } from "@/lib/api/client";
import { IsLiveContext } from "@/lib/live/isLive";
import { followLive } from "@/lib/live/liveStream";

/** Orders that may have been settled meanwhile are asked for within this time. */
const SPREAD_MS = 3_000;

export function LiveProvider({ children }: { children: ReactNode }) {
  const client = useQueryClient();
  const user = useSession();
  const [isLive, setIsLive] = useState(false);
  // The user is in the URL only to tell the streams of two people in one browser apart.
  const url = user === undefined ? null : user ? `/sales/events?orders=true#${user.user_id}` : "/sales/events";

  useEffect(() => {
    if (!url) {
      return;
    }
    const following = new AbortController();
    let asking: ReturnType<typeof setTimeout> | undefined;
    followLive(
      url,
      {
        onEvent: ({ name, data }) => {
          if (name === "sales") {
            readServerTime(data as Sales);
            client.setQueryData(salesQuery.queryKey, data as Sales);
          } else {
            void client.invalidateQueries({ queryKey: ["orders"] });
          }
        },
        onLive: (live) => {
          setIsLive(live);
          if (live) {
            // Missed while it was away. Everybody's stream comes back in the same second: not everybody asks in it.
            clearTimeout(asking);
            asking = setTimeout(() => client.invalidateQueries({ queryKey: ["orders"] }), Math.random() * SPREAD_MS);
          }
        },
      },
      following.signal,
    );
    return () => {
      clearTimeout(asking);
      following.abort();
      setIsLive(false);
    };
  }, [url, client]);

  // A try goes out with the cookie of the moment: no press outlives the session it was made in.
  useEffect(() => onSessionChange(() => presses.endAll()), []);
  const userId = user === undefined ? undefined : (user?.user_id ?? null);
  useEffect(() => {
    if (userId !== undefined) {
      presses.keepOnly(userId);
    }
  }, [userId]);

  useEffect(() => ordersChangedInOtherTab(() => void client.invalidateQueries({ queryKey: ["orders"] })), [client]);

  return <IsLiveContext.Provider value={isLive}>{children}</IsLiveContext.Provider>;
}
