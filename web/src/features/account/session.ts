/** Who is signed in, as the server says: the session is an HttpOnly cookie that this page can neither read nor keep. */
import { type QueryClient, queryOptions, useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect } from "react";
import { api, Problem, type Schemas, unwrap } from "@/lib/api/client";
import { patiently } from "@/lib/api/patiently";
import { untilAnswered } from "@/lib/api/untilAnswered";

export type User = Schemas["SessionUserView"];

/** How often a page that stays open asks whether its session still is. */
const CHECK_AGAIN_MS = 5 * 60_000;

const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: async ({ signal }) => (await unwrap(api.GET("/users/session", { signal }))).user ?? null,
  staleTime: 60_000,
  // A session that has ended is noticed, too.
  refetchInterval: (query) => untilAnswered(query) || (query.state.data ? CHECK_AGAIN_MS : false),
});

/** `undefined` until it is known, `null` when nobody is signed in. */
export function useSession(): User | null | undefined {
  return useQuery(sessionQuery).data;
}

/** Tells the other tabs of this browser, which share the cookie. */
const channel = typeof BroadcastChannel === "undefined" ? null : new BroadcastChannel("flashsale session");

/** Told at once when somebody signs in or out, here or in another tab: before it is known who it is. */
const leavers = new Set<() => void>();

/** Calls back at every change of the session; returns how to stop. */
export function onSessionChange(callback: () => void): () => void {
  leavers.add(callback);
  return () => leavers.delete(callback);
}

/** Ends what belongs to a person, and asks who it is now; until that is known it is nobody we know. */
function forgetPerson(client: QueryClient): Promise<void> {
  for (const callback of leavers) {
    callback();
  }
  const asked = client.resetQueries({ queryKey: ["session"] });
  client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== "sales" && queryKey[0] !== "session" });
  return asked;
}

/** What to do after signing in or out: everything that belongs to a person is asked again, here and in other tabs. */
export function useSessionChanged(): () => Promise<void> {
  const client = useQueryClient();
  return async () => {
    channel?.postMessage("changed");
    await forgetPerson(client);
  };
}

/** Follows signing in and out in other tabs. */
export function useSessionOfOtherTabs(): void {
  const client = useQueryClient();
  useEffect(() => {
    const onMessage = (): void => {
      void forgetPerson(client);
    };
    channel?.addEventListener("message", onMessage);
    return () => channel?.removeEventListener("message", onMessage);
  }, [client]);
}

/** @throws {Problem} */
export async function signIn(email: string, password: string): Promise<void> {
  await patiently(() => unwrap(api.POST("/users/authenticate", { body: { email, password } })));
}

/**
 * Registers and signs in. Who is registered already with this very password is just signed in: they may have been here
 * before, or the answer to their first try was lost.
 *
 * @throws {Problem}
 */
export async function signUp(email: string, password: string): Promise<void> {
  const taken = await patiently(() => unwrap(api.POST("/users", { body: { email, password } }))).then(
    () => null,
    (error: unknown) => {
      if (error instanceof Problem && error.code === "email_taken") {
        return error;
      }
      throw error;
    },
  );
  try {
    await signIn(email, password);
  } catch (error) {
    throw taken && error instanceof Problem && error.code === "invalid_credentials" ? taken : error;
  }
}

/** @throws {Problem} */
export async function signOut(): Promise<void> {
  await patiently(() => unwrap(api.DELETE("/users/session"))).catch((error: unknown) => {
    // A session that is over already is what was asked for.
    if (!(error instanceof Problem) || error.status !== 401) {
      throw error;
    }
  });
}
