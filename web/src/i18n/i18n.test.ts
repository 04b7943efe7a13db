import { i18n } from "@lingui/core";
import { compileMessage } from "@lingui/message-utils/compileMessage";
import { describe, expect, test, vi } from "vitest";
import { LANGUAGES, preferredLanguage, setLanguage, startLanguage } from ".";
import adminDe from "./messages/admin/de.json";
import adminEn from "./messages/admin/en.json";
import shopDe from "./messages/shop/de.json";
import shopEn from "./messages/shop/en.json";

const german: Record<string, string> = { ...shopDe, ...adminDe };
const english: Record<string, string> = { ...shopEn, ...adminEn };

/** The places that a message fills and how each is formatted, those inside a plural's forms too. */
function placeholders(message: string): string[] {
  const found = new Set<string>();
  const look = (tokens: unknown): void => {
    for (const token of Array.isArray(tokens) ? tokens : []) {
      if (Array.isArray(token)) {
        const [name, format, forms] = token;
        // A plural shows its number in the reader's digits, as {…, number} does; not every language needs its forms.
        const shownAs = format === "plural" ? "number" : format;
        if (name !== "#") {
          found.add(shownAs ? `${name}, ${shownAs}` : name);
        }
        if (typeof forms === "object") {
          Object.values(forms).forEach(look);
        }
      }
    }
  };
  look(compileMessage(message));
  return [...found].sort();
}

test("placeholders are found wherever they are", () => {
  expect(placeholders("No place")).toEqual([]);
  expect(placeholders("{a} and {b, number}")).toEqual(["a", "b, number"]);
  expect(placeholders("{n, plural, one {one of {name}} other {# of {name}}}")).toEqual(["n, number", "name"]);
});

describe("the catalogs", () => {
  test("have the same messages", () => {
    expect(Object.keys(shopDe).sort()).toEqual(Object.keys(shopEn).sort());
    expect(Object.keys(adminDe).sort()).toEqual(Object.keys(adminEn).sort());
  });

  test("have no empty message, none with white space around it", () => {
    for (const catalog of [english, german]) {
      for (const [id, message] of Object.entries(catalog)) {
        expect(message.trim(), id).toBe(message);
        expect(message, id).not.toBe("");
      }
    }
  });

  test("fill the same places in each message", () => {
    for (const [id, message] of Object.entries(english)) {
      expect([id, placeholders(german[id] ?? "")]).toEqual([id, placeholders(message)]);
    }
  });

  test("are messages that can be read", () => {
    for (const [id, message] of [...Object.entries(english), ...Object.entries(german)]) {
      expect(() => compileMessage(message), id).not.toThrow();
    }
  });
});

describe("the language", () => {
  test.each([
    ["de", ["en-US"], "de"],
    [null, ["de-AT", "en"], "de"],
    [null, ["DE"], "de"],
    [null, ["fr-FR", "de", "en"], "de"],
    [null, ["fr"], "en"],
    [null, [], "en"],
    ["xx", ["de"], "de"],
    ["toString", ["de"], "de"],
    [null, ["constructor", "de"], "de"],
    ["", ["en"], "en"],
  ] as const)("kept %j, wanted %j is %s", (kept, wanted, language) => {
    expect(preferredLanguage(kept, wanted)).toBe(language);
  });

  test("that was chosen is shown, told to the browser and kept", async () => {
    await setLanguage("de");
    expect(i18n._("layout.signIn")).toBe(german["layout.signIn"]);
    expect(document.documentElement.lang).toBe("de");
    await setLanguage("en");
    localStorage.setItem("flashsale language", "de");
    await startLanguage();
    expect(i18n.locale).toBe("de");
  });

  test("is the one asked for last, whichever arrives first", async () => {
    vi.resetModules();
    let arrive: () => void = () => undefined;
    const arrival = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    vi.doMock("./messages/de.json?lingui", async (original) => {
      await arrival;
      return original();
    });
    const page = await import(".");
    const german = page.setLanguage("de");
    await page.setLanguage("en");
    arrive();
    await german;
    vi.doUnmock("./messages/de.json?lingui");
    expect(document.documentElement.lang).toBe("en");
  });

  test("names itself in its own language", () => {
    expect(LANGUAGES).toEqual({ en: "English", de: "Deutsch" });
  });
});
