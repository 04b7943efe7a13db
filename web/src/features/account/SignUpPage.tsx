/** Signing up, which signs in at once. */
import { Link, useLocation, useSearch } from "wouter";
import { Page } from "@/components/Page";
import { useTranslator } from "@/i18n";
import { CredentialsForm } from "./CredentialsForm";
import { nextPlace } from "./rules";
import { signUp, useSessionChanged } from "./session";

export default function SignUpPage() {
  const { t } = useTranslator();
  const [, navigate] = useLocation();
  const search = useSearch();
  const sessionChanged = useSessionChanged();
  return (
    <Page title={t("account.signUp")} width="narrow">
      <CredentialsForm
        isNew
        submitLabel={t("account.signUp")}
        onSubmit={async (email, password) => {
          await signUp(email, password);
          await sessionChanged();
          navigate(nextPlace(search), { replace: true });
        }}
        footer={
          <>
            {t("account.haveAccount")}{" "}
            <Link href={`/sign-in${search ? `?${search}` : ""}`} className="font-medium text-accent underline">
              {t("account.signIn")}
            </Link>
          </>
        }
      />
    </Page>
  );
}
