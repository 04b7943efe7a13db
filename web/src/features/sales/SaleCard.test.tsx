import { act, screen } from "@testing-library/react";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { at, newSale, show } from "../../../tests/unit.shop";
import { Countdown } from "./Countdown";
import { SaleCard } from "./SaleCard";
import { Stock } from "./Stock";
import { readServerTime } from "./sales";

const tellTime = (ms: number): void => readServerTime({ server_time: at(ms), sales: [] });

/** Later than any reading of the test before: the clock does not go back. */
let now = 0;
beforeEach(() => {
  now += 10_000;
  vi.useFakeTimers();
  tellTime(now);
});

describe("a card", () => {
  test("of a sale to come shows when it starts", () => {
    show(<SaleCard sale={newSale({ start_date: at(now + 65_000), status: "upcoming" })} />);
    expect(screen.getByTestId("sale-status")).toHaveTextContent("Coming soon");
    expect(screen.getByText(/^Starts/)).toBeVisible();
    expect(screen.getByTestId("countdown")).toHaveTextContent("00h01min05s");
  });

  test("of a sale that runs shows what is left, for how much and how long", () => {
    const sale = newSale({ start_date: at(now - 1_000), end_date: at(now + 2 * 86_400_000), remaining_stock: 1_234 });
    show(<SaleCard sale={{ ...sale, quantity: 5_000 }} />);
    expect(screen.getByTestId("sale-status")).toHaveTextContent("On sale now");
    expect(screen.getByTestId("stock")).toHaveTextContent("1,234 of 5,000 left");
    expect(screen.getByText("€129.00")).toBeVisible();
    expect(screen.getByTestId("countdown")).toHaveTextContent("02d00h00min00s");
    expect(screen.getByRole("link", { name: "Walnut Radio" })).toHaveAttribute("href", `/sale/${sale.flash_sale_id}`);
  });

  test("of a sale without stock says that it is sold out", () => {
    show(<SaleCard sale={newSale({ start_date: at(now - 1), end_date: at(now + 60_000), remaining_stock: 0 })} />);
    expect(screen.getByTestId("sale-status")).toHaveTextContent("Sold out");
    expect(screen.getByTestId("stock")).toHaveTextContent("None of 100 left");
  });

  test("of a sale that ended shows what was sold, and no countdown", () => {
    show(<SaleCard sale={newSale({ start_date: at(now - 9_000), end_date: at(now - 1_000), remaining_stock: 40 })} />);
    expect(screen.getByTestId("sale-status")).toHaveTextContent("Ended");
    expect(screen.getByText(/60 of 100 sold/)).toBeVisible();
    expect(screen.queryByTestId("countdown")).toBeNull();
  });

  test("changes at the start and at the end by itself, whatever the server said last", () => {
    const sale = newSale({ start_date: at(now + 2_000), end_date: at(now + 4_000), status: "upcoming" });
    show(<SaleCard sale={sale} />);
    const status = () => screen.getByTestId("sale-status").textContent;
    const seen = [status()];
    for (let second = 1; second <= 4; second += 1) {
      act(() => void vi.advanceTimersByTime(1_003));
      seen.push(status());
    }
    expect(seen).toEqual(["Coming soon", "Coming soon", "On sale now", "On sale now", "Ended"]);
  });
});

describe("a countdown", () => {
  test("ticks for the eyes only; the moment itself is what is read", () => {
    const until = at(now + 10_000);
    show(<Countdown until={until} label="Starts" />);
    const ticking = screen.getByTestId("countdown");
    expect(ticking).toHaveAttribute("aria-hidden", "true");
    expect(ticking.closest("[aria-live],[role=timer],[role=status]")).toBeNull();
    expect(screen.getByText(/2031/).closest("time")).toHaveAttribute("datetime", until);
    expect(ticking).toHaveTextContent("10s");
    act(() => void vi.advanceTimersByTime(1_003));
    expect(ticking).toHaveTextContent("09s");
  });

  test("stops at zero", () => {
    show(<Countdown until={at(now - 5_000)} label="Ends" />);
    expect(screen.getByTestId("countdown")).toHaveTextContent("00h00min00s");
  });
});

describe("stock", () => {
  test.each([
    [-1, 10, "None of 10 left"],
    [0, 10, "None of 10 left"],
    [1, 10, "1 of 10 left"],
    [10, 10, "10 of 10 left"],
    [0, 0, "None of 0 left"],
  ])("%i of %i", (remaining_stock, quantity, text) => {
    show(<Stock sale={{ remaining_stock, quantity }} />);
    expect(screen.getByTestId("stock")).toHaveTextContent(text);
    expect(screen.getByTestId("stock").innerHTML).not.toMatch(/NaN|Infinity|scaleX\(-/);
  });
});
