import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, test } from "vitest";
import { at, json, newSale, problem, Shop, show } from "../../../tests/unit.shop";
import { SalePage } from "./SalePage";
import { SalesPage } from "./SalesPage";
import { salesQuery } from "./sales";

const answer = (...sales: ReturnType<typeof newSale>[]) => ({ server_time: at(0), sales });
const radio = newSale();
const lamp = newSale({ flash_sale_id: "lamp", product_id: "lamp", name: "Opal Lamp", end_date: at(7_200_000) });
const chair = newSale({
  flash_sale_id: "chair",
  name: "Oak Chair",
  start_date: at(3_600_000),
  end_date: at(7_200_000),
});
const clock = newSale({
  flash_sale_id: "clock",
  name: "Wall Clock",
  start_date: at(-7_200_000),
  end_date: at(-3_600_000),
});

let shop: Shop;
beforeEach(() => {
  shop = new Shop();
});

const featured = (name: string) => screen.findByRole("heading", { level: 2, name });
const list = (title: string) => {
  const section = screen.getByRole("heading", { level: 2, name: title }).closest("section") as HTMLElement;
  return within(section)
    .getAllByRole("heading", { level: 3 })
    .map((heading) => heading.textContent);
};

describe("the front", () => {
  test("shows the sale that matters most in full, then those to come, then those that ended", async () => {
    shop.on("GET /sales", () => json(answer(clock, chair, lamp, radio)));
    show(<SalesPage />);
    await featured("Walnut Radio");
    expect(screen.getByRole("heading", { level: 1, name: "Drops" })).toBeInTheDocument();
    expect(list("More drops")).toEqual(["Opal Lamp", "Oak Chair"]);
    expect(list("Past drops")).toEqual(["Wall Clock"]);
    expect(document.title).toBe("Drops · Flash sale");
  });

  test("says that nothing is planned", async () => {
    shop.on("GET /sales", () => json(answer()));
    show(<SalesPage />);
    expect(await screen.findByRole("heading", { name: "No drop is planned" })).toBeVisible();
  });

  test("says what went wrong and tries again when asked", async () => {
    shop.on("GET /sales", () => problem(503, "unavailable"));
    show(<SalesPage />);
    expect(await screen.findByRole("alert")).toHaveTextContent("Very busy right now");
    shop.on("GET /sales", () => json(answer(radio)));
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    await featured("Walnut Radio");
  });

  test("keeps what it shows when the shop cannot be reached any more", async () => {
    const { client } = show(<SalesPage />);
    await featured("Walnut Radio");
    shop.on("GET /sales", () => Promise.reject(new TypeError("Failed to fetch")));
    await act(() => client.invalidateQueries({ queryKey: salesQuery.queryKey }));
    expect(await featured("Walnut Radio")).toBeVisible();
    expect(screen.queryByRole("alert")).toBeNull();
  });

  test("does not slip another product under the finger when the one shown sells out", async () => {
    shop.on("GET /sales", () => json(answer(radio, lamp)));
    const { client } = show(<SalesPage />);
    await featured("Walnut Radio");
    const news = answer({ ...radio, remaining_stock: 0 }, lamp);
    act(() => void client.setQueryData(salesQuery.queryKey, news));
    await screen.findByRole("button", { name: "Sold out" });
    expect(await featured("Walnut Radio")).toBeVisible();
    expect(list("More drops")).toEqual(["Opal Lamp"]);
    await waitFor(() => expect(screen.getByTestId("announcer")).toHaveTextContent("Walnut Radio is sold out."));
  });

  test("leaves the focus where the reader has put it while it loads", async () => {
    show(
      <>
        <a href="#main">Skip</a>
        <SalesPage />
      </>,
    );
    screen.getByRole("link", { name: "Skip" }).focus();
    await featured("Walnut Radio");
    expect(screen.getByRole("link", { name: "Skip" })).toHaveFocus();
  });
});

describe("a sale's own page", () => {
  test("shows it under its name", async () => {
    show(<SalePage flashSaleId={radio.flash_sale_id} />, `/sale/${radio.flash_sale_id}`);
    expect(await screen.findByRole("heading", { level: 1, name: "Walnut Radio" })).toBeVisible();
    expect(document.title).toBe("Walnut Radio · Flash sale");
  });

  test("offers the date of one that is to come as a file, past the router", async () => {
    shop.on("GET /sales", () => json(answer(chair)));
    show(<SalePage flashSaleId="chair" />, "/sale/chair");
    const link = await screen.findByRole("link", { name: "Add to calendar" });
    expect(link).toHaveAttribute("href", "/sales/chair/calendar.ics");
    expect(link).toHaveAttribute("download");
  });

  test("finds one that is no longer listed", async () => {
    shop.on("GET /sales/clock", () => json(clock));
    show(<SalePage flashSaleId="clock" />, "/sale/clock");
    expect(await screen.findByRole("heading", { level: 1, name: "Wall Clock" })).toBeVisible();
    expect(screen.getByRole("button", { name: "Sale ended" })).toHaveAttribute("aria-disabled", "true");
  });

  test("says that there is none", async () => {
    shop.on("GET /sales/none", () => problem(404, "sale_not_found"));
    show(<SalePage flashSaleId="none" />, "/sale/none");
    expect(await screen.findByRole("heading", { level: 1, name: "Nothing here" })).toBeVisible();
  });

  test("does not say so when the shop only did not answer", async () => {
    shop.on("GET /sales/clock", () => problem(503, "unavailable"));
    show(<SalePage flashSaleId="clock" />, "/sale/clock");
    expect(await screen.findByRole("alert")).toHaveTextContent("Very busy right now");
    shop.on("GET /sales/clock", () => json(clock));
    await userEvent.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByRole("heading", { level: 1, name: "Wall Clock" })).toBeVisible();
  });
});
