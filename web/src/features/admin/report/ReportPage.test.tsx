/** The report in words. */
import { screen } from "@testing-library/react";
import { beforeEach, expect, it } from "vitest";
import { at, json, newSale, Shop, show } from "../../../../tests/unit.shop";
import ReportPage from "./ReportPage";
import type { Report } from "./report";

let shop: Shop;
const sale = newSale({ status: "ended", remaining_stock: 0 });

const REPORT: Report = {
  server_time: at(0),
  sale,
  balanced: true,
  sold: 100,
  in_progress: 0,
  failed: 4,
  attempts: 500,
  accepted: 104,
  refusals: [{ reason: "sold_out", attempts: 396 }],
  minutes: [{ minute: at(0), attempts: 500, accepted: 104, refused: 396, succeeded: 100, failed: 4 }],
  sold_out_after_ms: 4_200,
  fairness: {
    orders: 104,
    waited_p50_ms: 38,
    waited_p99_ms: 1_250,
    waited_max_ms: 65_000,
    overtaken: 0,
    failed_before_later_success: 0,
  },
};

beforeEach(() => {
  shop = new Shop();
});

function showReport(changes: Partial<Report>): void {
  shop.on(`GET /sales/${sale.flash_sale_id}/report`, () => json({ ...REPORT, ...changes }));
  show(<ReportPage flashSaleId={sale.flash_sale_id} />);
}

it("tells what was sold, how fast, how fairly, and gives it as a file", async () => {
  showReport({});
  expect(await screen.findByText("Sold out after 4.2 s")).toBeVisible();
  for (const text of ["38 ms", "1.3 s", "1 min 5 s", "✓ The books balance"]) {
    expect(screen.getByText(text)).toBeVisible();
  }
  const csv = screen.getByRole("link", { name: "Download CSV" });
  expect(csv).toHaveAttribute("href", `/sales/${sale.flash_sale_id}/report.csv`);
  expect(csv).toHaveAttribute("download");
  expect(screen.queryByText("These figures are not final")).toBeNull();
});

it("says what to do when the books do not balance", async () => {
  showReport({ balanced: false, sold_out_after_ms: null, sold: 90 });
  expect(await screen.findByText("✗ The books do not balance")).toBeVisible();
  expect(screen.getByText("flashsale doctor")).toBeVisible();
  expect(screen.getByText("Not sold out: 10 units left")).toBeVisible();
});

it("is not final before every order is settled", async () => {
  showReport({ in_progress: 1 });
  expect(await screen.findByText(/One order is still in progress/)).toBeVisible();
});
