import { act, screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { ADA, BOB, json, newClient, newOrder, problem, Shop, show } from "../../../tests/unit.shop";
import { signIn, signUp, useSession, useSessionChanged, useSessionOfOtherTabs } from "./session";

const USERS = "POST /users";
const AUTHENTICATE = "POST /users/authenticate";
const token = () => json({ token: "t", token_type: "Bearer", expires_in: 3600, user_id: ADA.user_id });

let shop: Shop;
beforeEach(() => {
  shop = new Shop();
  shop.on(USERS, () => json({ user_id: ADA.user_id, email: ADA.email }, 201));
  shop.on(AUTHENTICATE, token);
});

describe("signing up", () => {
  test("signs in at once", async () => {
    await signUp(ADA.email, "correct horse");
    expect(shop.asked.map(({ route, body }) => [route, body])).toEqual([
      [USERS, { email: ADA.email, password: "correct horse" }],
      [AUTHENTICATE, { email: ADA.email, password: "correct horse" }],
    ]);
  });

  test("with an address that is taken and its password just signs in", async () => {
    shop.on(USERS, () => problem(409, "email_taken"));
    await expect(signUp(ADA.email, "correct horse")).resolves.toBeUndefined();
    expect(shop.of(AUTHENTICATE)).toHaveLength(1);
  });

  test("with an address that is taken and another password says that it is taken", async () => {
    shop.on(USERS, () => problem(409, "email_taken"));
    shop.on(AUTHENTICATE, () => problem(401, "invalid_credentials"));
    await expect(signUp(ADA.email, "wrong horse")).rejects.toMatchObject({ code: "email_taken" });
  });

  test("with an address that is taken tells another failure of signing in as it is", async () => {
    shop.on(USERS, () => problem(409, "email_taken"));
    shop.on(AUTHENTICATE, () => Promise.reject(new TypeError("Failed to fetch")));
    await expect(signUp(ADA.email, "correct horse")).rejects.toMatchObject({ code: "unreachable" });
  });

  test("that is refused does not sign in", async () => {
    shop.on(USERS, () => problem(400, "invalid_request", "email: must look like name@example.org"));
    await expect(signUp("ada", "correct horse")).rejects.toMatchObject({ field: "email" });
    expect(shop.of(AUTHENTICATE)).toHaveLength(0);
  });
});

test("signing in waits for its turn while the shop is busy, without asking again", async () => {
  vi.useFakeTimers();
  shop.on(AUTHENTICATE, () => {
    shop.on(AUTHENTICATE, token);
    return problem(503, "unavailable", "Busy", 2);
  });
  const done = vi.fn();
  void signIn(ADA.email, "correct horse").then(done);
  await vi.advanceTimersByTimeAsync(1_999);
  expect(done).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(1_002);
  expect(done).toHaveBeenCalled();
  expect(shop.of(AUTHENTICATE)).toHaveLength(2);
});

/** Shows who is signed in, and how to say that it has changed. */
function Who({ onChanged }: { onChanged: (changed: () => Promise<void>) => void }) {
  useSessionOfOtherTabs();
  onChanged(useSessionChanged());
  const user = useSession();
  return <p>{user === undefined ? "unknown" : (user?.email ?? "nobody")}</p>;
}

describe("who is signed in", () => {
  test("is asked again after signing in, and nothing of the person before is kept", async () => {
    let changed: () => Promise<void> = async () => undefined;
    const { client } = show(<Who onChanged={(value) => (changed = value)} />);
    await screen.findByText(ADA.email);
    client.setQueryData(["orders"], [newOrder()]);
    shop.on("GET /users/session", () => json({ user: BOB }));
    await act(() => changed());
    expect(await screen.findByText(BOB.email)).toBeVisible();
    expect(client.getQueryData(["orders"])).toBeUndefined();
  });

  test("follows another tab, which shares the cookie", async () => {
    const { client } = show(<Who onChanged={() => undefined} />);
    await screen.findByText(ADA.email);
    client.setQueryData(["orders"], [newOrder()]);
    shop.on("GET /users/session", () => json({ user: null }));
    const otherTab = new BroadcastChannel("flashsale session");
    otherTab.postMessage("changed");
    expect(await screen.findByText("nobody")).toBeVisible();
    expect(client.getQueryData(["orders"])).toBeUndefined();
    otherTab.close();
  });

  test("is asked until it is known, for nobody can buy before", async () => {
    vi.useFakeTimers({ shouldAdvanceTime: true });
    shop.on("GET /users/session", () => problem(503, "unavailable"));
    show(<Who onChanged={() => undefined} />, "/", newClient());
    await waitFor(() => expect(shop.of("GET /users/session").length).toBeGreaterThan(0));
    expect(screen.getByText("unknown")).toBeVisible();
    shop.on("GET /users/session", () => json({ user: ADA }));
    await act(() => vi.advanceTimersByTimeAsync(5_100));
    expect(await screen.findByText(ADA.email)).toBeVisible();
  });
});
