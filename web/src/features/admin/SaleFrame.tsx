/** Instead of a screen about a sale: it is being looked for, there is none, or it could not be asked for. */
import { ButtonLink } from "@/components/Button";
import { Notice, Placeholder } from "@/components/Notice";
import { Page } from "@/components/Page";
import { ProblemNotice } from "@/components/Problems";
import { useTranslator } from "@/i18n";

interface SaleFrameProps {
  title: string;
  search: { isMissing: boolean; error: unknown; retry: () => void };
}

export function SaleFrame({ title, search: { isMissing, error, retry } }: SaleFrameProps) {
  const { t } = useTranslator();
  const back = <ButtonLink href="/">{t("admin.back")}</ButtonLink>;
  return (
    <Page title={title}>
      {isMissing ? (
        <Notice title={t("notFound.title")} actions={back}>
          <p>{t("problem.sale_not_found")}</p>
        </Notice>
      ) : error ? (
        <ProblemNotice error={error} onRetry={retry} actions={back} />
      ) : (
        <Placeholder label={t("loading")} className="h-96" />
      )}
    </Page>
  );
}
