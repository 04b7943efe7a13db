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

  test("keeps the way back for who takes the other way in", () => {
    show(<Screen />, `${path}?next=%2Fsale%2F1`);
    const other = path === "/sign-in" ? "Create account" : "Sign in";
    const href = screen.getByRole("link", { name: other }).getAttribute("href") ?? "";
    expect(new URLSearchParams(href.split("?")[1]).get("next")).toBe("/sale/1");
  });
});
