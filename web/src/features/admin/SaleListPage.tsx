/** Every sale, by where it is: running, to come, over. */
import { useState } from "react";
import { Button, ButtonLink } from "@/components/Button";
import { Notice, Placeholder } from "@/components/Notice";
import { Page } from "@/components/Page";
import { ProblemNotice } from "@/components/Problems";
import { inOrderOfInterest, type SaleStatus, statusAt, useSales } from "@/features/sales/sales";
import { useTranslator } from "@/i18n";
import type { Sale } from "@/lib/api/client";
import { useServerNow } from "@/lib/clock/useServerNow";
import { useIsLive } from "@/lib/live/isLive";
import { SaleRow } from "./SaleRow";

const GROUPS: readonly SaleStatus[] = ["active", "upcoming", "ended"];
/** Of a group, as many are shown at first. */
const SHOWN_MAX = 20;

export function SaleListPage() {
  const { t } = useTranslator();
  const { data, error, refetch } = useSales(useIsLive());
  return (
    <Page
      title={t("admin.title")}
      aside={
        <ButtonLink kind="primary" href="/sales/new">
          {t("admin.list.new")}
        </ButtonLink>
      }
    >
      {data ? (
        <Groups sales={data.sales} />
      ) : error ? (
        <ProblemNotice error={error} onRetry={() => void refetch()} />
      ) : (
        <Placeholder label={t("loading")} className="h-96" />
      )}
    </Page>
  );
}

function Groups({ sales }: { sales: readonly Sale[] }) {
  const { t } = useTranslator();
  const now = useServerNow();
  if (sales.length === 0) {
    return (
      <Notice
        title={t("admin.list.none")}
        actions={<ButtonLink href="/sales/new">{t("admin.list.createFirst")}</ButtonLink>}
      >
        <p>{t("admin.list.noneText")}</p>
      </Notice>
    );
  }
  const statusOf = (sale: Sale): SaleStatus => (now === null ? sale.status : statusAt(sale, now));
  const ordered = inOrderOfInterest(sales, now ?? 0);
  return (
    <div className="flex flex-col gap-12">
      {GROUPS.map((status) => (
        <Group key={status} status={status} sales={ordered.filter((sale) => statusOf(sale) === status)} />
      ))}
    </div>
  );
}

function Group({ status, sales }: { status: SaleStatus; sales: readonly Sale[] }) {
  const { t } = useTranslator();
  const [isWhole, setIsWhole] = useState(false);
  const shown = isWhole ? sales : sales.slice(0, SHOWN_MAX);
  if (sales.length === 0) {
    return null;
  }
  return (
    <section aria-labelledby={`group-${status}`}>
      <h2 id={`group-${status}`} className="mb-4 font-display font-semibold text-2xl">
        {t(`admin.list.${status}`)} <span className="font-normal text-lg text-muted">({sales.length})</span>
      </h2>
      <ul className="flex flex-col gap-3">
        {shown.map((sale) => (
          <SaleRow key={sale.flash_sale_id} sale={sale} status={status} />
        ))}
      </ul>
      {shown.length < sales.length && (
        <Button kind="secondary" className="mt-4" onClick={() => setIsWhole(true)}>
          {t("admin.list.all", { count: sales.length })}
        </Button>
      )}
    </section>
  );
}
