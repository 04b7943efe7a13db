import { screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, test } from "vitest";
import { ADA, json, problem, Shop, show } from "../../../tests/unit.shop";
import SignInPage from "./SignInPage";
import SignUpPage from "./SignUpPage";

let shop: Shop;
beforeEach(() => {
  shop = new Shop();
  shop.on("POST /users", () => json({ user_id: ADA.user_id, email: ADA.email }, 201));
  shop.on("POST /users/authenticate", () => json({ token: "t", token_type: "Bearer", expires_in: 1, user_id: "u" }));
});

async function submit(name: string): Promise<void> {
  const user = userEvent.setup();
  await user.type(screen.getByLabelText("E-mail"), ADA.email);
  await user.type(screen.getByLabelText("Password"), "correct horse{Enter}");
  expect(screen.getByRole("button", { name })).toBeVisible();
}

describe.each([
  ["Sign in", "/sign-in", SignInPage],
  ["Create account", "/sign-up", SignUpPage],
] as const)("%s", (name, path, Screen) => {
  test("leads back to where the shopper came from", async () => {
    const { places } = show(<Screen />, `${path}?next=${encodeURIComponent("/sale/1")}`);
    await submit(name);
    await waitFor(() => expect(places.at(-1)).toBe("/sale/1"));
  });

  test("leads home, never to another site", async () => {
    const { places } = show(<Screen />, `${path}?next=${encodeURIComponent("//evil.example")}`);
    await submit(name);
    await waitFor(() => expect(places.at(-1)).toBe("/"));
  });

  test("stays when refused", async () => {
    shop.on("POST /users/authenticate", () => problem(401, "invalid_credentials"));
    shop.on("POST /users", () => problem(409, "email_taken"));
    const { places } = show(<Screen />, path);
    await submit(name);
    await waitFor(() => expect(document.body).toHaveTextContent(/is wrong|registered already\. Sign in/));
    expect(places.at(-1)).toBe(path);
  });

  test("waits when asked to, and goes on by itself", async () => {
    let tries = 0;
    const ask = path === "/sign-in" ? "POST /users/authenticate" : "POST /users";
    shop.on(ask, () => (++tries === 1 ? problem(429, "too_many_requests", "Wait", 0.2) : json({ token: "t" })));
    const { places } = show(<Screen />, path);
    await submit(name);
    await waitFor(() => expect(tries).toBe(1));
    expect(screen.getByRole("button", { name })).toHaveAttribute("aria-disabled", "true");
    expect(screen.queryByRole("alert")).toBeNull();
    await waitFor(() => expect(places.at(-1)).toBe("/"));
    expect(tries).toBe(2);
  });

  test("says so when the wait is longer than anybody's patience, and keeps what was typed", async () => {
    const ask = path === "/sign-in" ? "POST /users/authenticate" : "POST /users";
    shop.on(ask, () => problem(429, "too_many_requests", "Wait", 300));
    const { places } = show(<Screen />, path);
    await submit(name);
    expect(await screen.findByRole("alert")).toHaveTextContent("Too many requests. Wait a moment before the next.");
    expect(screen.getByLabelText("E-mail")).toHaveValue(ADA.email);
    expect(screen.getByLabelText("Password")).toHaveValue("correct horse");
    expect(screen.getByRole("button", { name })).not.toHaveAttribute("aria-disabled");
    expect(shop.of(ask)).toHaveLength(1);
    expect(places.at(-1)).toBe(path);
  });

  test("keeps the way back for who takes the other way in", () => {
    show(<Screen />, `${path}?next=%2Fsale%2F1`);
    const other = path === "/sign-in" ? "Create account" : "Sign in";
    const href = screen.getByRole("link", { name: other }).getAttribute("href") ?? "";
    expect(new URLSearchParams(href.split("?")[1]).get("next")).toBe("/sale/1");
  });
});
