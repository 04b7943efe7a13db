import { QueryClient } from "@tanstack/react-query";
import { act, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { ADA, BOB, deferred, json, newClient, newOrder, newSale, problem, Shop, show } from "../../../tests/unit.shop";
import { BuyPanel } from "./BuyPanel";
import { presses } from "./presses";
import { browserWorld } from "./purchase";

const POST = "POST /orders";
const sale = newSale();
const accepted = (order_id = newOrder().order_id) =>
  json({ order_id, user_id: ADA.user_id, product_id: sale.product_id, status: "in_progress" });

let shop: Shop;
let user: ReturnType<typeof userEvent.setup>;

beforeEach(() => {
  presses.keepOnly(null);
  shop = new Shop();
  user = userEvent.setup();
  // Pauses at their shortest.
  vi.spyOn(browserWorld, "random").mockReturnValue(0);
});

const panel = () => screen.getByTestId("purchase");
const buyNow = () => screen.findByRole("button", { name: "Buy Now" });
const outcome = (title: string) => screen.findByRole("heading", { name: title });
const announced = (text: string | RegExp) =>
  waitFor(() => expect(screen.getByTestId("announcer")).toHaveTextContent(text));

async function showOpen(place = "/", client = newClient()) {
  const shown = show(<BuyPanel sale={sale} status="active" />, place, client);
  await waitFor(async () => expect(await buyNow()).not.toHaveAttribute("aria-disabled"));
  return shown;
}

async function press(): Promise<void> {
  await user.click(await buyNow());
}

describe("the button", () => {
  test.each([
    ["upcoming", 40, "Not yet on sale", /You are ready\. The button opens by itself at the start/],
    ["active", 0, "Sold out", /units come back/],
    ["ended", 40, "Sale ended", /among your orders/],
  ] as const)("of a sale that is %s with %i left cannot be pressed and says why", async (status, left, name, hint) => {
    show(<BuyPanel sale={newSale({ remaining_stock: left })} status={status} />);
    await waitFor(() => expect(panel()).toHaveTextContent(hint));
    const button = screen.getByRole("button", { name });
    expect(button).toHaveAttribute("aria-disabled", "true");
    await user.click(button);
    expect(shop.of(POST)).toHaveLength(0);
  });

  test("keeps the focus while it is off, so that who waits for the start can press at once", async () => {
    const { show: showAgain } = show(<BuyPanel sale={sale} status="upcoming" />);
    await screen.findByText(/You are ready/);
    await user.tab();
    expect(screen.getByRole("button", { name: "Not yet on sale" })).toHaveFocus();
    showAgain(<BuyPanel sale={sale} status="active" />);
    expect(await buyNow()).toHaveFocus();
    shop.on(POST, () => accepted());
    await user.keyboard("{Enter}");
    await outcome("In progress");
  });

  test("cannot be pressed before it is known whether one is bought already", async () => {
    shop.on("GET /orders/history", () => new Promise(() => undefined));
    show(<BuyPanel sale={sale} status="active" />);
    await waitFor(() => expect(shop.of("GET /orders/history")).not.toHaveLength(0));
    await press();
    expect(shop.of(POST)).toHaveLength(0);
  });

  test("can be pressed although the orders cannot be read: the server knows them", async () => {
    shop.on("GET /orders/history", () => problem(503, "unavailable"));
    shop.on(POST, () => problem(400, "already_purchased"));
    // As the page does: it goes on trying for seconds, in which the sale may be over.
    await showOpen("/", new QueryClient({ defaultOptions: { queries: { retry: 3 } } }));
    await press();
    await outcome("You already have one");
  });

  test("takes who is signed out to sign in and back here, without buying", async () => {
    shop.on("GET /users/session", () => json({ user: null }));
    const { places } = await showOpen();
    expect(screen.getByText(/After signing in you come back here/)).toBeVisible();
    await press();
    expect(places.at(-1)).toBe(`/sign-in?next=${encodeURIComponent(`/sale/${sale.flash_sale_id}`)}`);
    expect(shop.of(POST)).toHaveLength(0);
    expect(shop.of("GET /orders/history")).toHaveLength(0);
  });
});

describe("a press", () => {
  test("is one request, however often it is pressed", async () => {
    const answer = deferred<Response>();
    shop.on(POST, () => answer.promise);
    await showOpen();
    const button = await buyNow();
    await act(async () => {
      button.click();
      button.click();
    });
    await outcome("Asking for yours …");
    expect(shop.of(POST)).toEqual([
      { route: POST, key: expect.stringMatching(/^[0-9a-f]{32}$/), body: { product_id: sale.product_id } },
    ]);
    answer.resolve(accepted());
    await outcome("In progress");
    expect(shop.of(POST)).toHaveLength(1);
  });

  test("moves the focus to what has taken the button's place", async () => {
    shop.on(POST, () => new Promise(() => undefined));
    await showOpen();
    await press();
    await outcome("Asking for yours …");
    expect(panel()).toHaveFocus();
  });

  test("becomes the outcome when the order is settled, and says so", async () => {
    shop.on(POST, () => {
      shop.on("GET /orders/history", () => json({ orders: [newOrder({ status: "in_progress", settled_at: null })] }));
      return accepted();
    });
    const { client } = await showOpen();
    await press();
    await outcome("In progress");
    await announced(/^In progress\. Your request is in/);
    shop.on("GET /orders/history", () => json({ orders: [newOrder()] }));
    await act(() => client.invalidateQueries({ queryKey: ["orders"] }));
    await outcome("It's yours");
    expect(screen.getByTestId("order-number")).toHaveTextContent(newOrder().order_id);
    expect(screen.getByRole("link", { name: "My orders" })).toHaveAttribute("href", "/my-orders");
    await announced("It's yours. You have bought one Walnut Radio. Keep the order number.");
  });

  test("becomes a failure with its reason when the order is settled without a unit", async () => {
    shop.on(POST, () => {
      shop.on("GET /orders/history", () => json({ orders: [newOrder({ status: "failed", reason: "dead_lettered" })] }));
      return accepted();
    });
    await showOpen();
    await press();
    await outcome("Your order could not be completed");
  });

  test("that is accepted but not among the orders yet stays in progress and is asked for", async () => {
    shop.on(POST, () => accepted());
    await showOpen();
    await press();
    await outcome("In progress");
    await waitFor(() => expect(shop.of("GET /orders/history").length).toBeGreaterThan(1));
    shop.on("GET /orders/history", () => json({ orders: [newOrder()] }));
    await outcome("It's yours");
  });

  test("is found again although reading the orders failed right after it was accepted", async () => {
    shop.on(POST, () => {
      shop.on("GET /orders/history", () => {
        shop.on("GET /orders/history", () => json({ orders: [newOrder()] }));
        return problem(503, "unavailable");
      });
      return accepted();
    });
    await showOpen();
    await press();
    await outcome("In progress");
    await outcome("It's yours");
  });

  test("goes on by itself with the same key, telling why, when the shop is busy", async () => {
    let isFirst = true;
    shop.on(POST, () => {
      const answer = isFirst ? problem(503, "unavailable", "Busy", 1) : accepted();
      isFirst = false;
      return answer;
    });
    await showOpen();
    await press();
    await outcome("Very busy right now");
    expect(panel()).toHaveTextContent("We ask again for you in 1 s");
    await outcome("In progress");
    const keys = shop.of(POST).map(({ key }) => key);
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
  });

  test("says that the connection is lost, and goes on when it is back", async () => {
    shop.on(POST, () => Promise.reject(new TypeError("Failed to fetch")));
    await showOpen();
    await press();
    await outcome("Connection lost");
    shop.on(POST, () => accepted());
    act(() => void window.dispatchEvent(new Event("online")));
    await outcome("In progress");
  });

  test("shows the order that another tab has got meanwhile", async () => {
    shop.on(POST, () => problem(503, "unavailable", "Busy", 60));
    const { client } = await showOpen();
    await press();
    await outcome("Very busy right now");
    shop.on("GET /orders/history", () => json({ orders: [newOrder()] }));
    await act(() => client.invalidateQueries({ queryKey: ["orders"] }));
    await outcome("It's yours");
  });
});

describe("a press that is interrupted", () => {
  test("by a reload goes on with the same key", async () => {
    shop.on(POST, () => new Promise(() => undefined));
    const { unmount } = await showOpen();
    await press();
    await outcome("Asking for yours …");
    unmount();
    presses.keepOnly(null);
    shop.on(POST, () => accepted());
    show(<BuyPanel sale={sale} status="active" />);
    await outcome("In progress");
    expect(new Set(shop.of(POST).map(({ key }) => key)).size).toBe(1);
  });

  test("by a look at another screen is answered meanwhile", async () => {
    const late = deferred<Response>();
    shop.on(POST, () => late.promise);
    const { unmount } = await showOpen();
    await press();
    await outcome("Asking for yours …");
    unmount();
    await act(async () => late.resolve(problem(400, "sold_out")));
    show(<BuyPanel sale={sale} status="active" />);
    await outcome("Sold out");
    expect(shop.of(POST)).toHaveLength(1);
  });

  test("by a reload after its answer does not go out again", async () => {
    shop.on(POST, () => problem(400, "sold_out"));
    const { unmount } = await showOpen();
    await press();
    await outcome("Sold out");
    unmount();
    presses.keepOnly(null);
    await showOpen();
    expect(shop.of(POST)).toHaveLength(1);
  });

  test("by another person signing in stays the first one's", async () => {
    const late = deferred<Response>();
    shop.on(POST, () => late.promise);
    const { client } = await showOpen();
    await press();
    await outcome("Asking for yours …");
    const [{ key } = { key: null }] = shop.of(POST);
    await act(async () => {
      client.removeQueries({ queryKey: ["orders"] });
      client.setQueryData(["session"], BOB);
      presses.keepOnly(BOB.user_id);
    });
    await waitFor(async () => expect(await buyNow()).not.toHaveAttribute("aria-disabled"));
    await act(async () => late.resolve(accepted("of-ada")));
    expect(panel()).toHaveAttribute("data-state", "idle");
    shop.on(POST, () => problem(400, "sold_out"));
    await press();
    await outcome("Sold out");
    expect(shop.of(POST).at(-1)?.key).not.toBe(key);
  });

  test("by signing out shows nothing of it any more", async () => {
    shop.on("GET /orders/history", () => json({ orders: [newOrder()] }));
    const { client } = show(<BuyPanel sale={sale} status="active" />);
    await outcome("It's yours");
    shop.on("GET /orders/history", () => problem(401, "unauthorized"));
    await act(async () => {
      client.removeQueries({ queryKey: ["orders"] });
      client.setQueryData(["session"], null);
    });
    expect(await buyNow()).toBeVisible();
    expect(panel()).not.toHaveTextContent(newOrder().order_id);
  });
});

describe("each refusal has its words and its next step", () => {
  const signIn = `/sign-in?next=${encodeURIComponent(`/sale/${sale.flash_sale_id}`)}`;
  test.each([
    [400, "sold_out", "Sold out", "button", "Try again", null],
    [400, "sale_ended", "The sale has ended", "button", "Try again", null],
    [400, "sale_not_started", "A moment too early", "button", "Back", null],
    [400, "already_purchased", "You already have one", "link", "My orders", "/my-orders"],
    [404, "product_not_found", "No longer offered", "button", "Try again", null],
    [409, "order_failed", "Your order could not be completed", "button", "Try again", null],
    [401, "unauthorized", "You are signed out", "link", "Sign in", signIn],
    [422, "idempotency_key_reused", "The shop refused the request", "button", "Try again", null],
  ] as const)("%i %s", async (status, code, title, role, name, href) => {
    shop.on(POST, () => problem(status, code));
    await showOpen();
    await press();
    await outcome(title);
    await announced(new RegExp(`^${title}\\.`));
    const next = within(panel()).getByRole(role, { name });
    if (href) {
      expect(next).toHaveAttribute("href", href);
    } else {
      await user.click(next);
      const button = await buyNow();
      expect(button).toHaveFocus();
      await user.click(button);
      await outcome(title);
      const keys = shop.of(POST).map(({ key }) => key);
      expect(new Set(keys).size).toBe(2);
    }
  });

  test("sold out leads elsewhere until stock returns, then back to the button", async () => {
    shop.on(POST, () => problem(400, "sold_out"));
    const { show: showAgain } = await showOpen();
    await press();
    showAgain(<BuyPanel sale={newSale({ remaining_stock: 0 })} status="active" />);
    await outcome("Sold out");
    expect(screen.getByRole("link", { name: "See other drops" })).toHaveAttribute("href", "/");
    expect(screen.queryByRole("button")).toBeNull();
    showAgain(<BuyPanel sale={newSale({ remaining_stock: 1 })} status="active" />);
    await user.click(screen.getByRole("button", { name: "Try again" }));
    shop.on(POST, () => accepted());
    await press();
    await outcome("In progress");
    const [first, second] = shop.of(POST);
    expect(second?.key).not.toBe(first?.key);
  });

  test("a failed order can be tried again, and a new failure is shown again", async () => {
    shop.on("GET /orders/history", () => json({ orders: [newOrder({ status: "failed", reason: "sold_out" })] }));
    show(<BuyPanel sale={sale} status="active" />);
    await outcome("Sold out");
    await user.click(screen.getByRole("button", { name: "Try again" }));
    shop.on(POST, () => {
      const orders = [newOrder({ order_id: "second", status: "failed", reason: "sold_out" }), newOrder()];
      shop.on("GET /orders/history", () => json({ orders: orders.slice(0, 1) }));
      return accepted("second");
    });
    await press();
    await outcome("Sold out");
  });

  test("a failed order of an earlier sale is not in the way of this one", async () => {
    const earlier = newOrder({ status: "failed", reason: "sold_out", flash_sale_id: "earlier" });
    shop.on("GET /orders/history", () => json({ orders: [earlier] }));
    await showOpen();
  });
});
