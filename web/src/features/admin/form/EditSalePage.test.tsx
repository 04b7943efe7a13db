/** Changing a sale: only what was typed over is sent, and refusals stand at their fields. */
import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, it } from "vitest";
import { json, newSale, problem, Shop, show } from "../../../../tests/unit.shop";
import EditSalePage from "./EditSalePage";

let shop: Shop;
const sale = newSale();
const save = (): HTMLElement => screen.getByRole("button", { name: "Save changes" });

beforeEach(() => {
  shop = new Shop();
  shop.on("POST /sales/update", () => json(sale));
});

it("sends what was changed and goes to the dashboard", async () => {
  const { places } = show(<EditSalePage flashSaleId={sale.flash_sale_id} />);
  const user = userEvent.setup();
  const price = await screen.findByLabelText("Price in euros");
  await user.clear(price);
  await user.type(price, "99");
  await user.click(save());
  await waitFor(() => expect(places.at(-1)).toBe(`/sales/${sale.flash_sale_id}`));
  expect(shop.of("POST /sales/update").map(({ body }) => body)).toEqual([
    { flash_sale_id: sale.flash_sale_id, price_in_cents: 9900 },
  ]);
});

it("sends nothing when nothing was changed", async () => {
  const { places } = show(<EditSalePage flashSaleId={sale.flash_sale_id} />);
  await screen.findByLabelText("Name");
  await userEvent.click(save());
  await waitFor(() => expect(places.at(-1)).toBe(`/sales/${sale.flash_sale_id}`));
  expect(shop.of("POST /sales/update")).toHaveLength(0);
});

it("knows what is sold before the server says so, and shows what the server says", async () => {
  shop.on("POST /sales/update", () => problem(409, "quantity_below_sold"));
  show(<EditSalePage flashSaleId={sale.flash_sale_id} />);
  const user = userEvent.setup();
  const units = await screen.findByLabelText("Units");
  await user.clear(units);
  await user.type(units, "10");
  expect(units).toHaveAccessibleDescription(/60 are sold already/);
  await user.clear(units);
  await user.type(units, "70");
  await user.click(save());
  await waitFor(() => expect(units).toHaveAccessibleDescription(/More units than this are sold already/));
  expect(units).toHaveFocus();
});
