import { describe, expect, test } from "vitest";
import { emailProblem, nextPlace, PASSWORD_MAX, PASSWORD_MIN, passwordProblem } from "./rules";

describe("an e-mail address", () => {
  test.each(["ada@example.org", "  ada@example.org ", "a@b", "Ada+drops@Example.ORG", "ö@ü.example"])(
    "%s is accepted, as the server does",
    (email) => {
      expect(emailProblem(email)).toBeNull();
    },
  );

  test.each([
    ["", "emailMissing"],
    ["   ", "emailMissing"],
    ["ada", "emailWrong"],
    ["ada@", "emailWrong"],
    ["@example.org", "emailWrong"],
    ["ada@b@c", "emailWrong"],
    ["a da@example.org", "emailWrong"],
    [`${"a".repeat(250)}@b.de`, "emailWrong"],
  ])("%s is refused: %s", (email, problem) => {
    expect(emailProblem(email)).toBe(problem);
  });
});

describe("a password", () => {
  const long = (length: number): string => "x".repeat(length);

  test.each([
    [long(PASSWORD_MIN), true, null],
    [long(PASSWORD_MAX), true, null],
    [long(PASSWORD_MIN - 1), true, "passwordLength"],
    [long(PASSWORD_MAX + 1), true, "passwordLength"],
    ["", true, "passwordMissing"],
    ["", false, "passwordMissing"],
    ["x", false, null],
    [long(PASSWORD_MAX + 1), false, "passwordLength"],
    ["        ", true, null],
  ])("%s (for a new account: %s) has the problem %s", (password, isNew, problem) => {
    expect(passwordProblem(password, isNew)).toBe(problem);
  });

  test("is counted in characters, as the server does, not in UTF-16 units", () => {
    expect(passwordProblem("🔑".repeat(PASSWORD_MIN - 1), true)).toBe("passwordLength");
    expect(passwordProblem("🔑".repeat(PASSWORD_MAX), true)).toBeNull();
  });
});

describe("the place after signing in", () => {
  test.each([
    ["", "/"],
    ["next=", "/"],
    ["next=/sale/1", "/sale/1"],
    [`next=${encodeURIComponent("/sale/1?a=b#c")}`, "/sale/1?a=b#c"],
    ["next=/my-orders&next=//evil.example", "/my-orders"],
  ])("of ?%s is %s", (search, place) => {
    expect(nextPlace(search)).toBe(place);
  });

  test.each([
    "https://evil.example",
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "/\n/evil.example",
    "\t//evil.example",
    " //evil.example",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.example",
    "//",
    "///evil.example",
  ])("is never another site or a script: %j", (next) => {
    expect(nextPlace(`next=${encodeURIComponent(next)}`)).toBe("/");
  });
});
