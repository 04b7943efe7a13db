/** Screens for when there is nothing to show: no such address, still loading, broken. */
import { Button, ButtonLink } from "@/components/Button";
import { Notice, Placeholder } from "@/components/Notice";
import { Page } from "@/components/Page";
import { useTranslator } from "@/i18n";

export function NotFoundPage() {
  const { t } = useTranslator();
  return (
    <Page title={t("notFound.title")}>
      <Notice className="max-w-prose" actions={<ButtonLink href="/">{t("notFound.home")}</ButtonLink>}>
        <p>{t("notFound.text")}</p>
      </Notice>
    </Page>
  );
}

export function BrokenPage() {
  const { t } = useTranslator();
  return (
    <Page title={t("broken.title")}>
      <Notice
        tone="bad"
        className="max-w-prose"
        actions={<Button onClick={() => location.reload()}>{t("broken.reload")}</Button>}
      >
        <p>{t("broken.text")}</p>
      </Notice>
    </Page>
  );
}

export function Loading() {
  const { t } = useTranslator();
  return (
    <main className="mx-auto w-full max-w-6xl flex-1 px-4 py-12 sm:px-6">
      <Placeholder label={t("loading")} className="h-96" />
    </main>
  );
}
