import { act, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, test } from "vitest";
import { json, newOrder, problem, Shop, show } from "../../../tests/unit.shop";
import OrdersPage from "./OrdersPage";

const HISTORY = "GET /orders/history";
let shop: Shop;
beforeEach(() => {
  shop = new Shop();
});

test("every order has its outcome, number and the way to its sale", async () => {
  const orders = [
    newOrder({ order_id: "4", status: "in_progress", settled_at: null }),
    newOrder({ order_id: "3", status: "success" }),
    newOrder({ order_id: "2", status: "failed", reason: "sold_out" }),
    newOrder({ order_id: "1", status: "failed", reason: "dead_lettered" }),
  ];
  shop.on(HISTORY, () => json({ orders }));
  show(<OrdersPage />);
  const rows = await screen.findAllByRole("listitem");
  expect(rows.map((row) => within(row).getByTestId("order-status").textContent)).toEqual([
    "In progress",
    "Yours",
    "Sold out, not charged",
    "Could not be completed, not charged",
  ]);
  const [, bought] = rows as [HTMLElement, HTMLElement];
  expect(bought).toHaveTextContent("Order number 3");
  expect(within(bought).getByRole("link")).toHaveAttribute("href", `/sale/${newOrder().flash_sale_id}`);
});

test("an order in progress becomes its outcome by itself", async () => {
  shop.on(HISTORY, () => json({ orders: [newOrder({ status: "in_progress", settled_at: null })] }));
  const { client } = show(<OrdersPage />);
  await screen.findByText("In progress");
  shop.on(HISTORY, () => json({ orders: [newOrder()] }));
  await act(() => client.invalidateQueries({ queryKey: ["orders"] }));
  expect(await screen.findByText("Yours")).toBeVisible();
});

test("without orders it leads to the drops", async () => {
  show(<OrdersPage />);
  expect(await screen.findByRole("heading", { name: "No orders yet" })).toBeVisible();
  expect(screen.getByRole("link", { name: "See other drops" })).toHaveAttribute("href", "/");
});

test("who is signed out is led to sign in and back, and nothing is asked", async () => {
  shop.on("GET /users/session", () => json({ user: null }));
  show(<OrdersPage />);
  expect(await screen.findByRole("link", { name: "Sign in" })).toHaveAttribute("href", "/sign-in?next=/my-orders");
  expect(shop.of(HISTORY)).toHaveLength(0);
});

test("orders that cannot be read are asked for again when the shopper wants", async () => {
  shop.on(HISTORY, () => problem(503, "unavailable"));
  show(<OrdersPage />);
  expect(await screen.findByRole("alert")).toHaveTextContent("Very busy right now");
  shop.on(HISTORY, () => json({ orders: [newOrder()] }));
  await userEvent.click(screen.getByRole("button", { name: "Try again" }));
  expect(await screen.findByText("Yours")).toBeVisible();
});
