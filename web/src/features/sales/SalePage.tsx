/** One sale at an address of its own. */
import { useQuery } from "@tanstack/react-query";
import { NotFoundPage } from "@/components/EmptyPages";
import { Placeholder } from "@/components/Notice";
import { Page } from "@/components/Page";
import { ProblemNotice } from "@/components/Problems";
import { useTranslator } from "@/i18n";
import { api, Problem, unwrap } from "@/lib/api/client";
import { useIsLive } from "@/lib/live/isLive";
import { SaleDetail } from "./SaleDetail";
import { useSales } from "./sales";

export function SalePage({ flashSaleId }: { flashSaleId: string }) {
  const { t } = useTranslator();
  const { data, error, refetch } = useSales(useIsLive());
  const listed = data?.sales.find((sale) => sale.flash_sale_id === flashSaleId);
  // A sale that ended long ago is no longer among the listed ones.
  const older = useQuery({
    queryKey: ["sale", flashSaleId],
    queryFn: ({ signal }) =>
      unwrap(api.GET("/sales/{flash_sale_id}", { params: { path: { flash_sale_id: flashSaleId } }, signal })),
    enabled: data !== undefined && listed === undefined,
  });
  const sale = listed ?? older.data;
  if (sale) {
    return (
      <Page title={sale.name} hasOwnHeading>
        <SaleDetail key={sale.flash_sale_id} sale={sale} headingLevel="h1" />
      </Page>
    );
  }
  if (older.error instanceof Problem && older.error.status === 404) {
    return <NotFoundPage />;
  }
  const problem = error ?? older.error;
  return (
    <Page title={t("sales.title")}>
      {problem ? (
        <ProblemNotice error={problem} onRetry={() => void (error ? refetch() : older.refetch())} />
      ) : (
        <Placeholder label={t("loading")} className="h-[70dvh]" />
      )}
    </Page>
  );
}
