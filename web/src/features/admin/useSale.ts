/** One sale by its id: live while it is among the listed ones, asked for by itself when it is older. */
import { useQuery } from "@tanstack/react-query";
import { useSales } from "@/features/sales/sales";
import { api, Problem, type Sale, unwrap } from "@/lib/api/client";
import { useIsLive } from "@/lib/live/isLive";

export interface SaleSearch {
  sale: Sale | undefined;
  /** All sales known. */
  sales: readonly Sale[];
  isMissing: boolean;
  error: unknown;
  retry: () => void;
}

export function useSale(flashSaleId: string): SaleSearch {
  const listed = useSales(useIsLive());
  const sales = listed.data?.sales ?? [];
  const found = sales.find((sale) => sale.flash_sale_id === flashSaleId);
  const older = useQuery({
    queryKey: ["sale", flashSaleId],
    queryFn: ({ signal }) =>
      unwrap(api.GET("/sales/{flash_sale_id}", { params: { path: { flash_sale_id: flashSaleId } }, signal })),
    enabled: listed.data !== undefined && found === undefined,
  });
  return {
    sale: found ?? older.data,
    sales,
    isMissing: older.error instanceof Problem && older.error.status === 404,
    error: found ? null : (listed.error ?? older.error),
    retry: () => void (listed.error ? listed.refetch() : older.refetch()),
  };
}
