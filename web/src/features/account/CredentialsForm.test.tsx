import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { describe, expect, test, vi } from "vitest";
import { Problem } from "@/lib/api/client";
import { deferred, show } from "../../../tests/unit.shop";
import { CredentialsForm } from "./CredentialsForm";

function showForm(isNew: boolean, onSubmit = vi.fn<(email: string, password: string) => Promise<void>>()) {
  if (!onSubmit.getMockImplementation()) {
    onSubmit.mockResolvedValue(undefined);
  }
  show(<CredentialsForm isNew={isNew} onSubmit={onSubmit} submitLabel="Go" footer="Footer" />);
  return { onSubmit, user: userEvent.setup() };
}

const email = () => screen.getByLabelText("E-mail");
const password = () => screen.getByLabelText("Password");
const go = () => screen.getByRole("button", { name: "Go" });

async function fill(user: ReturnType<typeof userEvent.setup>, secret = "correct horse"): Promise<void> {
  await user.type(email(), "ada@example.org");
  await user.type(password(), secret);
}

describe("the form", () => {
  test("says at each field what is wrong, goes to the first one and asks nobody", async () => {
    const { user, onSubmit } = showForm(true);
    expect(email()).not.toHaveAttribute("aria-invalid", "true");
    await user.type(password(), "short");
    await user.click(go());
    expect(email()).toHaveAttribute("aria-invalid", "true");
    expect(email()).toHaveAccessibleDescription("Enter your e-mail address.");
    expect(email()).toHaveFocus();
    expect(password()).toHaveAccessibleDescription(/^The password must be 8 to 128 characters long\./);
    expect(onSubmit).not.toHaveBeenCalled();
  });

  test("goes to the password when only that is wrong", async () => {
    const { user } = showForm(false);
    await user.type(email(), "ada@example.org{Enter}");
    expect(password()).toHaveFocus();
    expect(password()).toHaveAccessibleDescription(/^Enter your password\./);
  });

  test("does not complain before it was sent, and takes a complaint back as soon as it is put right", async () => {
    const { user } = showForm(false);
    await user.type(email(), "ada");
    await user.tab();
    expect(email()).not.toHaveAttribute("aria-invalid", "true");
    await user.click(go());
    expect(email()).toHaveAttribute("aria-invalid", "true");
    await user.type(email(), "@example.org");
    expect(email()).not.toHaveAttribute("aria-invalid", "true");
  });

  test("shows whether a new password keeps the rule while it is typed", async () => {
    const { user } = showForm(true);
    const rule = () => screen.getByText(/8 to 128 characters, of any kind/);
    await user.type(password(), "1234567");
    expect(rule()).toHaveTextContent("(not met yet)");
    await user.type(password(), "8");
    expect(rule()).toHaveTextContent("(met)");
  });

  test("shows no rule to who has an account, whose password may be shorter", async () => {
    const { user, onSubmit } = showForm(false);
    expect(screen.queryByText(/of any kind/)).toBeNull();
    await fill(user, "x");
    await user.click(go());
    expect(onSubmit).toHaveBeenCalledWith("ada@example.org", "x");
  });

  test("takes what is pasted, and sends the password as it is", async () => {
    const { user, onSubmit } = showForm(true);
    await user.click(email());
    await user.paste("  ada@example.org ");
    await user.click(password());
    await user.paste(" spaces count ");
    await user.keyboard("{Enter}");
    expect(onSubmit).toHaveBeenCalledWith("ada@example.org", " spaces count ");
  });

  test.each([
    [true, "new-password"],
    [false, "current-password"],
  ])("is known to a password manager (new: %s)", (isNew, autocomplete) => {
    showForm(isNew);
    expect(email()).toHaveAttribute("autocomplete", "username");
    expect(email()).toHaveAttribute("name", "email");
    expect(password()).toHaveAttribute("autocomplete", autocomplete);
  });

  test("shows the password when asked, and never to a spelling service", async () => {
    const { user } = showForm(true);
    expect(password()).toHaveAttribute("type", "password");
    await user.click(screen.getByLabelText("Show password"));
    expect(password()).toHaveAttribute("type", "text");
    expect(password()).toHaveAttribute("spellcheck", "false");
  });
});

describe("a refusal", () => {
  const refusing = (error: unknown) => vi.fn().mockRejectedValue(error);

  test("of a field is told at that field", async () => {
    const { user } = showForm(true, refusing(new Problem(400, "invalid_request", "email: must look like a@b")));
    await fill(user);
    await user.click(go());
    await waitFor(() => expect(email()).toHaveAccessibleDescription(/must look like a@b/));
    expect(email()).toHaveFocus();
    expect(screen.queryByRole("alert")).toBeNull();
  });

  test("because the address is taken is told at the address", async () => {
    const { user } = showForm(true, refusing(new Problem(409, "email_taken", "taken")));
    await fill(user);
    await user.click(go());
    await waitFor(() => expect(email()).toHaveAccessibleDescription(/is registered already/));
    expect(email()).toHaveFocus();
  });

  test.each([
    [new Problem(401, "invalid_credentials", "no"), "The e-mail address or the password is wrong."],
    [new Problem(0, "unreachable", "no"), "The shop cannot be reached. Check your connection."],
    [new Problem(418, "teapot", "The server's own words"), "The server's own words"],
    [new TypeError("x is undefined"), "Something went wrong on this page."],
    ["thrown text", "Something went wrong on this page."],
  ])("of the whole is announced: %s", async (error, text) => {
    const { user } = showForm(false, refusing(error));
    await fill(user);
    await user.click(go());
    expect(await screen.findByRole("alert")).toHaveTextContent(text);
    expect(password()).toHaveFocus();
  });

  test("is gone with the next try, and nothing has to be typed again", async () => {
    const onSubmit = vi.fn().mockRejectedValueOnce(new Problem(401, "invalid_credentials", "no"));
    onSubmit.mockResolvedValue(undefined);
    const { user } = showForm(false, onSubmit);
    await fill(user);
    await user.click(go());
    await screen.findByRole("alert");
    await user.click(go());
    await waitFor(() => expect(screen.queryByRole("alert")).toBeNull());
    expect(onSubmit).toHaveBeenCalledTimes(2);
  });
});

test("while it is under way it is not sent again, by button, key or program", async () => {
  const answer = deferred<void>();
  const { user, onSubmit } = showForm(
    false,
    vi.fn(() => answer.promise),
  );
  await fill(user);
  await user.dblClick(go());
  await user.type(password(), "{Enter}");
  // As a password manager does, past the button.
  fireEvent.submit(email().closest("form") as HTMLFormElement);
  expect(onSubmit).toHaveBeenCalledTimes(1);
  expect(go()).toHaveAttribute("aria-disabled", "true");
  await act(async () => answer.resolve());
  expect(go()).not.toHaveAttribute("aria-disabled");
});
