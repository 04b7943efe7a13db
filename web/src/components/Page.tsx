/** The frame of one screen: its title in the tab, its heading, and the focus on it after moving there. */
import { type ReactNode, useEffect, useRef } from "react";
import { useLocation, useRouter } from "wouter";
import { useTranslator } from "@/i18n";

interface PageProps {
  title: string;
  /** Beside the heading. */
  aside?: ReactNode;
  /** The heading is part of the children. */
  hasOwnHeading?: boolean;
  width?: "narrow" | "wide";
  children: ReactNode;
}

/** The address last shown: the first screen of a visit keeps the focus where the browser puts it, and so does one that loads. */
let shownPlace: string | null = null;

export function Page({ title, aside, hasOwnHeading = false, width = "wide", children }: PageProps) {
  const { t } = useTranslator();
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    document.title = `${title} · ${t("app.name")}`;
  }, [title, t]);
  const place = useRouter().base + useLocation()[0];
  useEffect(() => {
    if (shownPlace !== null && shownPlace !== place) {
      main.current?.focus();
      window.scrollTo({ top: 0 });
    }
    shownPlace = place;
  }, [place]);
  return (
    <main
      ref={main}
      id="main"
      tabIndex={-1}
      className={`mx-auto w-full flex-1 px-4 py-8 outline-none sm:px-6 sm:py-12 ${width === "narrow" ? "max-w-md" : "max-w-6xl"}`}
    >
      {!hasOwnHeading && (
        <div className="mb-8 flex flex-wrap items-center justify-between gap-4">
          <h1 className="font-display font-semibold text-3xl sm:text-4xl">{title}</h1>
          {aside}
        </div>
      )}
      {children}
    </main>
  );
}
