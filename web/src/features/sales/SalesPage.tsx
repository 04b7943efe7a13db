/** The shop's front: the sale that matters most now in full, the others beside each other. */
import { useState } from "react";
import { Notice, Placeholder } from "@/components/Notice";
import { Page } from "@/components/Page";
import { ProblemNotice } from "@/components/Problems";
import { useTranslator } from "@/i18n";
import type { Sale } from "@/lib/api/client";
import { serverClock } from "@/lib/clock/serverClock";
import { useIsLive } from "@/lib/live/isLive";
import { SaleCard } from "./SaleCard";
import { SaleDetail } from "./SaleDetail";
import { inOrderOfInterest, statusAt, useSales } from "./sales";

/** Ended sales beyond these are not listed. */
const ENDED_MAX = 6;
const FEATURED_AFTER_END_MS = 600_000;

export function SalesPage() {
  const { t } = useTranslator();
  const { data, error, refetch } = useSales(useIsLive());
  if (data) {
    return <Sales sales={data.sales} />;
  }
  return (
    <Page title={t("sales.title")}>
      {error ? (
        <ProblemNotice error={error} onRetry={() => void refetch()} />
      ) : (
        <Placeholder label={t("loading")} className="h-[70dvh]" />
      )}
    </Page>
  );
}

function Sales({ sales }: { sales: readonly Sale[] }) {
  const { t } = useTranslator();
  const now = serverClock.now() ?? 0;
  const sorted = inOrderOfInterest(sales, now);
  const first = useFeatured(sorted, now);
  if (!first) {
    return (
      <Page title={t("sales.title")}>
        <Notice title={t("sales.none")}>
          <p>{t("sales.noneText")}</p>
        </Notice>
      </Page>
    );
  }
  const others = sorted.filter((sale) => sale !== first);
  const next = others.filter((sale) => statusAt(sale, now) !== "ended");
  const ended = others.filter((sale) => statusAt(sale, now) === "ended").slice(0, ENDED_MAX);
  return (
    <Page title={t("sales.title")} hasOwnHeading>
      <h1 className="sr-only">{t("sales.title")}</h1>
      <SaleDetail key={first.flash_sale_id} sale={first} headingLevel="h2" />
      <SaleList title={t("sales.others")} sales={next} />
      <SaleList title={t("sales.ended")} sales={ended} />
    </Page>
  );
}

/**
 * The sale shown in full: the first one, which stays although it sells out or ends, because somebody may be waiting for
 * their outcome in front of it. A while after its end the next one takes its place.
 */
function useFeatured(sorted: readonly Sale[], now: number): Sale | undefined {
  const [featuredId, setFeaturedId] = useState<string | undefined>(sorted[0]?.flash_sale_id);
  const kept = sorted.find((sale) => sale.flash_sale_id === featuredId);
  const featured = kept && now < Date.parse(kept.end_date) + FEATURED_AFTER_END_MS ? kept : sorted[0];
  if (featured?.flash_sale_id !== featuredId) {
    setFeaturedId(featured?.flash_sale_id);
  }
  return featured;
}

function SaleList({ title, sales }: { title: string; sales: readonly Sale[] }) {
  if (sales.length === 0) {
    return null;
  }
  return (
    <section className="mt-16">
      <h2 className="mb-6 font-display font-semibold text-2xl">{title}</h2>
      <ul className="grid gap-6 sm:grid-cols-2 lg:grid-cols-3">
        {sales.map((sale) => (
          <li key={sale.flash_sale_id} className="grid">
            <SaleCard sale={sale} />
          </li>
        ))}
      </ul>
    </section>
  );
}
