/** Signing in, and back to where the shopper came from. */
import { Link, useLocation, useSearch } from "wouter";
import { Notice } from "@/components/Notice";
import { Page } from "@/components/Page";
import { useTranslator } from "@/i18n";
import { CredentialsForm } from "./CredentialsForm";
import { nextPlace } from "./rules";
import { signIn, useSessionChanged } from "./session";

export default function SignInPage() {
  const { t } = useTranslator();
  const [, navigate] = useLocation();
  const search = useSearch();
  const next = nextPlace(search);
  const sessionChanged = useSessionChanged();
  return (
    <Page title={t("account.signIn")} width="narrow">
      {next !== "/" && <Notice className="mb-6">{t("account.backAfter")}</Notice>}
      <CredentialsForm
        isNew={false}
        submitLabel={t("account.signIn")}
        onSubmit={async (email, password) => {
          await signIn(email, password);
          await sessionChanged();
          navigate(next, { replace: true });
        }}
        footer={
          <>
            {t("account.noAccount")}{" "}
            <Link href={`/sign-up${search ? `?${search}` : ""}`} className="font-medium text-accent underline">
              {t("account.signUp")}
            </Link>
          </>
        }
      />
    </Page>
  );
}
