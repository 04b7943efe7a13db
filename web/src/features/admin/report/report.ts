/** What a sale came to, as the server reckons it from the orders themselves. */
import { queryOptions } from "@tanstack/react-query";
import { api, type Schemas, unwrap } from "@/lib/api/client";

export type Report = Schemas["SaleReportView"];

/** Asked once: it reads every order of the sale, so it is not followed second by second. */
export const reportQuery = (flashSaleId: string) =>
  queryOptions({
    queryKey: ["report", flashSaleId],
    queryFn: async ({ signal }): Promise<Report> => {
      const path = { flash_sale_id: flashSaleId };
      return unwrap(api.GET("/sales/{flash_sale_id}/report", { params: { path }, signal }));
    },
    refetchOnWindowFocus: false,
  });
