/** What stands around every screen: the way home, who is signed in, the language, and whether the news are live. */
import { type ReactNode, useId } from "react";
import { Link, useLocation } from "wouter";
import { ButtonLink } from "@/components/Button";
import { SignOutButton } from "@/features/account/SignOutButton";
import { useSession } from "@/features/account/session";
import { LANGUAGES, type Language, setLanguage, useTranslator } from "@/i18n";
import { useIsLive } from "@/lib/live/isLive";

export function Layout({ children }: { children: ReactNode }) {
  const { t } = useTranslator();
  return (
    <div className="flex min-h-dvh flex-col">
      <a
        href="#main"
        className="sr-only rounded-full bg-accent px-5 py-3 text-on-accent focus:not-sr-only focus:fixed focus:top-3 focus:left-3 focus:z-20"
      >
        {t("layout.skip")}
      </a>
      <Header />
      {children}
      <Footer />
    </div>
  );
}

function Header() {
  const { t } = useTranslator();
  const user = useSession();
  return (
    <header className="sticky top-0 z-10 border-line border-b bg-paper/95 backdrop-blur">
      <div className="mx-auto flex min-h-16 max-w-6xl flex-wrap items-center justify-between gap-x-4 px-4 py-2 sm:px-6">
        <Link href="/" className="flex min-h-11 items-center gap-2.5 font-display font-semibold text-xl">
          <img src="/favicon.svg" alt="" width="28" height="28" />
          {/* The owner's header has more in it: on a phone the mark stands for the name. */}
          <span className={user?.is_administrator ? "max-sm:sr-only" : ""}>{t("app.name")}</span>
        </Link>
        <nav aria-label={t("layout.navigation")} className="flex min-h-11 flex-wrap items-center gap-x-5">
          {user && <NavLink href="/my-orders">{t("layout.orders")}</NavLink>}
          {user?.is_administrator && <NavLink href="/admin">{t("layout.admin")}</NavLink>}
          {user && <SignOutButton email={user.email} />}
          {user === null && <SignInLinks />}
        </nav>
      </div>
    </header>
  );
}

function NavLink({ href, children }: { href: string; children: ReactNode }) {
  const [location] = useLocation();
  const isHere = location === href || location.startsWith(`${href}/`);
  return (
    <Link
      href={href}
      {...(isHere ? { "aria-current": "page" as const } : {})}
      className="flex min-h-11 items-center font-medium underline-offset-8 hover:underline aria-[current]:underline"
    >
      {children}
    </Link>
  );
}

function SignInLinks() {
  const { t } = useTranslator();
  const [location] = useLocation();
  const isSigning = location === "/sign-in" || location === "/sign-up";
  const next = isSigning || location === "/" ? "" : `?next=${encodeURIComponent(location)}`;
  return (
    <>
      <NavLink href={`/sign-in${next}`}>{t("layout.signIn")}</NavLink>
      {/* Where there is no room for it, the sign-in screen leads there too. */}
      <span className="max-sm:hidden">
        <ButtonLink href={`/sign-up${next}`}>{t("layout.signUp")}</ButtonLink>
      </span>
    </>
  );
}

function Footer() {
  const { t } = useTranslator();
  const isLive = useIsLive();
  return (
    <footer className="border-line border-t">
      <div className="mx-auto flex max-w-6xl flex-wrap items-center justify-between gap-4 px-4 py-6 text-muted text-sm sm:px-6">
        <p className="flex items-center gap-2">
          <span aria-hidden="true" className={`size-2 rounded-full ${isLive ? "bg-accent" : "bg-warm"}`} />
          {isLive ? t("layout.live") : t("layout.polling")}
        </p>
        <LanguageSelect />
      </div>
    </footer>
  );
}

function LanguageSelect() {
  const { t, language } = useTranslator();
  const id = useId();
  return (
    <div className="flex items-center gap-2">
      <label htmlFor={id}>{t("layout.language")}</label>
      <select
        id={id}
        value={language}
        onChange={(event) => void setLanguage(event.target.value as Language)}
        className="min-h-11 rounded-full border border-edge bg-card px-4 text-ink"
      >
        {Object.entries(LANGUAGES).map(([code, name]) => (
          <option key={code} value={code} lang={code}>
            {name}
          </option>
        ))}
      </select>
    </div>
  );
}
