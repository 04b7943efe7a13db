/** The two levers of a running sale, and what a person is told while it sells. */
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, it } from "vitest";
import { at, json, newSale, problem, Shop, show } from "../../../../tests/unit.shop";
import type { Activity } from "../activity";
import DashboardPage from "./DashboardPage";

let shop: Shop;
const sale = newSale();
const ACTIVITY = `GET /sales/${sale.flash_sale_id}/activity`;

function newActivity(changes: Partial<Activity> = {}): Activity {
  return {
    server_time: at(0),
    sale,
    in_progress: 2,
    attempts: 1000,
    accepted: 62,
    refusals: [
      { reason: "already_purchased", attempts: 38 },
      { reason: "sold_out", attempts: 900 },
    ],
    queue: { depth: 2, oldest_age_s: 0.2, drain_rate_per_s: 12.5, dead_letters: 0 },
    seconds: [],
    ...changes,
  };
}

beforeEach(() => {
  shop = new Shop();
  shop.on(ACTIVITY, () => json(newActivity()));
});

it("shows what is left, who asked and why they were refused, the most frequent reason first", async () => {
  show(<DashboardPage flashSaleId={sale.flash_sale_id} />);
  expect(await screen.findByTestId("remaining-stock")).toHaveTextContent("40");
  expect(screen.getByText("1,000")).toBeVisible();
  const reasons = within(screen.getByRole("region", { name: "Refused, by reason" })).getAllByRole("listitem");
  expect(reasons[0]).toHaveTextContent(/Sold out900/);
  expect(reasons[1]).toHaveTextContent(/Already bought38/);
  expect(screen.getAllByRole("img", { name: /per second\./ })).toHaveLength(2);
});

it("raises an alarm for orders set aside", async () => {
  const queue = { depth: 0, oldest_age_s: 0, drain_rate_per_s: 0, dead_letters: 3 };
  shop.on(ACTIVITY, () => json(newActivity({ queue })));
  show(<DashboardPage flashSaleId={sale.flash_sale_id} />);
  expect(await screen.findByText("3 orders were set aside")).toBeVisible();
});

it("shows the new total before it sets it", async () => {
  shop.on("POST /sales/update", () => json(newSale({ quantity: 110, remaining_stock: 50 })));
  show(<DashboardPage flashSaleId={sale.flash_sale_id} />);
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "Raise by 10" }));
  expect(screen.getByText("From 100 to 110 units: 50 left to sell.")).toBeVisible();
  expect(shop.of("POST /sales/update")).toHaveLength(0);
  await user.click(screen.getByRole("button", { name: "Set stock to 110" }));
  await waitFor(() => expect(shop.of("POST /sales/update")).toHaveLength(1));
  expect(shop.of("POST /sales/update")[0]?.body).toEqual({ flash_sale_id: sale.flash_sale_id, quantity: 110 });
});

it("does not lower the stock below what is sold", async () => {
  show(<DashboardPage flashSaleId={sale.flash_sale_id} />);
  const user = userEvent.setup();
  const total = await screen.findByLabelText("Units in all");
  await user.clear(total);
  await user.type(total, "59");
  expect(screen.getByRole("alert")).toHaveTextContent("60 are sold already");
  await user.click(screen.getByRole("button", { name: "Set stock to 59" }));
  expect(shop.of("POST /sales/update")).toHaveLength(0);
});

it("ends the sale after being asked once, and once only", async () => {
  shop.on("POST /sales/end", () => json(newSale({ status: "ended" })));
  show(<DashboardPage flashSaleId={sale.flash_sale_id} />);
  const user = userEvent.setup();
  await user.click(await screen.findByRole("button", { name: "End sale now" }));
  const dialog = within(screen.getByRole("dialog"));
  expect(shop.of("POST /sales/end")).toHaveLength(0);
  await user.dblClick(dialog.getByRole("button", { name: "End sale now" }));
  await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  const ended = shop.of("POST /sales/end");
  expect(ended).toHaveLength(1);
  expect(ended[0]?.key).toBeTruthy();
});

it("says that there is no such sale", async () => {
  shop.on(ACTIVITY, () => problem(404, "sale_not_found"));
  show(<DashboardPage flashSaleId={sale.flash_sale_id} />);
  expect(await screen.findByText("There is no such sale.")).toBeVisible();
});
