/** The page's languages: which one is shown, its messages (one language loaded at a time), and what `Intl` makes of prices and times. */
import { i18n } from "@lingui/core";
import { useLingui } from "@lingui/react";
import { useMemo } from "react";
import type admin from "./messages/admin/en.json";
import type shop from "./messages/shop/en.json";

export const LANGUAGES = { en: "English", de: "Deutsch" } as const;
export type Language = keyof typeof LANGUAGES;
export type MessageId = keyof typeof shop | keyof typeof admin;
type Values = Record<string, string | number>;

/** What prices are in; the API's amounts carry no currency. */
const CURRENCY = "EUR";
const KEPT_AS = "flashsale language";

/** What a shopper never reads is not loaded for them. */
const catalogs = {
  shop: {
    en: () => import("./messages/shop/en.json?lingui"),
    de: () => import("./messages/shop/de.json?lingui"),
  },
  admin: {
    en: () => import("./messages/admin/en.json?lingui"),
    de: () => import("./messages/admin/de.json?lingui"),
  },
};
export type MessageArea = keyof typeof catalogs;

const areas = new Set<MessageArea>(["shop"]);

/** The language chosen before, or the first of the browser's that we speak. */
export function preferredLanguage(kept: string | null, wanted: readonly string[]): Language {
  const isOurs = (code: string | undefined): code is Language => code !== undefined && Object.hasOwn(LANGUAGES, code);
  if (isOurs(kept ?? undefined)) {
    return kept as Language;
  }
  return wanted.map((tag) => tag.toLowerCase().split("-")[0]).find(isOurs) ?? "en";
}

/** Loads and shows the reader's language. */
export async function startLanguage(): Promise<void> {
  await show(preferredLanguage(readKept(), navigator.languages));
}

/** Shows another language from now on. */
export async function setLanguage(language: Language): Promise<void> {
  try {
    localStorage.setItem(KEPT_AS, language);
  } catch {
    // A browser that keeps nothing shows its own language next time.
  }
  await show(language);
}

/** The language asked for last: the messages of one before it may arrive later. */
let wanted: Language | null = null;

/** Loads the messages of another part of the page, in the language that is shown and those chosen later. */
export async function needMessages(area: MessageArea): Promise<void> {
  areas.add(area);
  await show(wanted ?? "en");
}

async function show(language: Language): Promise<void> {
  wanted = language;
  const loaded = await Promise.all([...areas].map((area) => catalogs[area][language]()));
  if (wanted !== language) {
    return;
  }
  i18n.loadAndActivate({ locale: language, messages: Object.assign({}, ...loaded.map(({ messages }) => messages)) });
  document.documentElement.lang = language;
}

function readKept(): string | null {
  try {
    return localStorage.getItem(KEPT_AS);
  } catch {
    return null;
  }
}

/** Translates, and formats what depends on the language. */
export interface Translator {
  language: Language;
  t: (id: MessageId, values?: Values) => string;
  /** A price in cents, as money. */
  price: (cents: number) => string;
  number: (value: number, options?: Intl.NumberFormatOptions) => string;
  /** A moment, in the reader's time zone. */
  dateTime: (time: string | number, options?: Intl.DateTimeFormatOptions) => string;
}

export function useTranslator(): Translator {
  const { i18n: current } = useLingui();
  const language = current.locale as Language;
  // current is the same object whatever it speaks: the language is what changes.
  return useMemo(
    () => ({
      language,
      t: (id, values) => current._(id, values),
      price: (cents) => new Intl.NumberFormat(language, { style: "currency", currency: CURRENCY }).format(cents / 100),
      number: (value, options) => new Intl.NumberFormat(language, options).format(value),
      dateTime: (time, options = { dateStyle: "medium", timeStyle: "short" }) =>
        new Intl.DateTimeFormat(language, options).format(new Date(time)),
    }),
    [language, current],
  );
}
