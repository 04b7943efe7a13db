/** The form of a new sale: what it says while it is filled in, and what it sends. */
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, expect, it } from "vitest";
import { deferred, json, newSale, problem, Shop, show } from "../../../../tests/unit.shop";
import NewSalePage from "./NewSalePage";

let shop: Shop;
const CREATED = newSale({ flash_sale_id: "0197a000-0000-7000-8000-00000000c0de" });
const input = (label: string): HTMLInputElement => screen.getByLabelText(label);
const submit = (): HTMLElement => screen.getByRole("button", { name: "Create sale" });

beforeEach(() => {
  shop = new Shop();
  shop.on("POST /sales", () => json(CREATED, 201));
});

async function fillIn(): Promise<ReturnType<typeof userEvent.setup>> {
  const user = userEvent.setup();
  const fill = (label: string, value: string) => fireEvent.change(input(label), { target: { value } });
  await screen.findByLabelText("Name");
  fill("Name", "Brass Compass");
  fill("Price in euros", "49,90");
  fill("Units", "25");
  fill("Start", "2031-06-01T10:00");
  fill("End", "2031-06-01T12:00");
  return user;
}

it("says what is wrong at the field, sends nothing, and goes to the first one", async () => {
  show(<NewSalePage />);
  const user = userEvent.setup();
  await user.type(await screen.findByLabelText("Price in euros"), "abc");
  expect(input("Price in euros")).toHaveAccessibleDescription(/Enter an amount of 0 or more/);
  expect(input("Name")).not.toHaveAttribute("aria-invalid", "true");
  fireEvent.change(input("End"), { target: { value: "2020-01-01T00:00" } });
  fireEvent.blur(input("End"));
  expect(input("End")).toHaveAccessibleDescription(/must be later than the start/);
  await user.click(submit());
  expect(input("Name")).toHaveFocus();
  expect(input("Name")).toHaveAccessibleDescription(/Enter a name/);
  expect(shop.of("POST /sales")).toHaveLength(0);
});

it("shows what shoppers will see, at every stage", async () => {
  show(<NewSalePage />);
  const user = await fillIn();
  const preview = within(screen.getByTestId("preview"));
  expect(preview.getByText("Brass Compass")).toBeVisible();
  expect(preview.getByText("€49.90")).toBeVisible();
  expect(preview.getByText("25 of 25 left")).toBeVisible();
  expect(screen.getByTestId("preview")).toHaveAttribute("inert");
  await user.click(screen.getByLabelText("Sold out"));
  expect(preview.getByText("None of 25 left")).toBeVisible();
});

it("sends the sale as typed, once however often it is pressed, and goes to its dashboard", async () => {
  const answer = deferred<Response>();
  shop.on("POST /sales", () => answer.promise);
  const { places } = show(<NewSalePage />);
  const user = await fillIn();
  await user.dblClick(submit());
  await user.click(submit());
  answer.resolve(json(CREATED, 201));
  await waitFor(() => expect(places.at(-1)).toBe(`/sales/${CREATED.flash_sale_id}`));
  const sent = shop.of("POST /sales");
  expect(sent).toHaveLength(1);
  expect(sent[0]?.key).toMatch(/^[0-9a-f]{32}$/);
  expect(sent[0]?.body).toEqual({
    name: "Brass Compass",
    description: "",
    price_in_cents: 4990,
    quantity: 25,
    start_date: new Date("2031-06-01T10:00").toISOString(),
    end_date: new Date("2031-06-01T12:00").toISOString(),
  });
});

it("tries a lost request again with the same key, and a mended one with a new key", async () => {
  const answers = [problem(500, "internal_error"), problem(409, "sale_overlaps"), json(CREATED, 201)];
  shop.on("POST /sales", () => answers.shift() ?? problem(500, "internal_error"));
  show(<NewSalePage />);
  const user = await fillIn();
  await user.click(submit());
  expect(await screen.findByRole("alert")).toBeVisible();
  await user.click(submit());
  await waitFor(() => expect(input("Start")).toHaveAccessibleDescription(/overlaps these dates/));
  await user.click(submit());
  await waitFor(() => expect(shop.of("POST /sales")).toHaveLength(3));
  const [first, second, third] = shop.of("POST /sales").map(({ key }) => key);
  expect(second).toBe(first);
  expect(third).not.toBe(first);
});

it("sells a known product again by its id", async () => {
  show(<NewSalePage />);
  const user = userEvent.setup();
  await user.selectOptions(await screen.findByLabelText("What is sold?"), newSale().product_id);
  expect(screen.queryByLabelText("Name")).toBeNull();
  expect(within(screen.getByTestId("preview")).getByText("Walnut Radio")).toBeVisible();
  fireEvent.change(input("Start"), { target: { value: "2031-06-01T10:00" } });
  fireEvent.change(input("End"), { target: { value: "2031-06-01T12:00" } });
  await user.click(submit());
  await waitFor(() => expect(shop.of("POST /sales")).toHaveLength(1));
  expect(shop.of("POST /sales")[0]?.body).toMatchObject({ product_id: newSale().product_id, quantity: 100 });
});
