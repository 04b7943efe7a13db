/** Who sees the administrator's screens, and what the list says. */
import { screen, within } from "@testing-library/react";
import { beforeEach, expect, it } from "vitest";
import { Route } from "wouter";
import { ADA, at, json, newSale, Shop, show } from "../../../tests/unit.shop";
import AdminRoutes from "./AdminRoutes";

let shop: Shop;
const showAdmin = (place: string) => show(<Route path="/admin" nest component={AdminRoutes} />, place);

beforeEach(() => {
  shop = new Shop();
  shop.on("GET /users/session", () => json({ user: { ...ADA, is_administrator: true } }));
});

it("sends who is signed out to sign in, and back to where they wanted to go", async () => {
  shop.on("GET /users/session", () => json({ user: null }));
  showAdmin("/admin/sales/new");
  const link = await screen.findByRole("link", { name: "Sign in" });
  expect(link).toHaveAttribute("href", "/sign-in?next=%2Fadmin%2Fsales%2Fnew");
});

it("tells a shopper that this is not for them", async () => {
  shop.on("GET /users/session", () => json({ user: ADA }));
  showAdmin("/admin");
  expect(await screen.findByText("Only for administrators")).toBeVisible();
  expect(screen.queryByRole("link", { name: "Sign in" })).toBeNull();
});

it("lists the sales by where they are, with the ways on", async () => {
  const sales = [
    newSale(),
    newSale({ flash_sale_id: "coming", name: "Lamp", start_date: at(60_000) }),
    newSale({ flash_sale_id: "over", name: "Kettle", start_date: at(-9_000), end_date: at(-1_000) }),
  ];
  shop.on("GET /sales", () => json({ server_time: at(0), sales }));
  showAdmin("/admin");
  const running = within(await screen.findByRole("region", { name: /^Running/ }));
  expect(running.getByText("60 of 100 sold")).toBeVisible();
  expect(running.getByRole("link", { name: "Dashboard" })).toHaveAttribute(
    "href",
    `/admin/sales/${newSale().flash_sale_id}`,
  );
  expect(within(screen.getByRole("region", { name: /^Coming/ })).queryByRole("link", { name: "Report" })).toBeNull();
  const ended = within(screen.getByRole("region", { name: /^Ended/ }));
  expect(ended.getByRole("link", { name: "Report" })).toHaveAttribute("href", "/admin/sales/over/report");
  expect(ended.getByRole("link", { name: "Sell again" })).toHaveAttribute(
    "href",
    `/admin/sales/new?product=${newSale().product_id}`,
  );
});

it("says how to begin when there is no sale", async () => {
  shop.on("GET /sales", () => json({ server_time: at(0), sales: [] }));
  showAdmin("/admin");
  expect(await screen.findByRole("link", { name: "Create the first sale" })).toBeVisible();
});
