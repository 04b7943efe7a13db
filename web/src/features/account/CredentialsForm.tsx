/** E-mail address and password, for signing in and for signing up: native inputs that a password manager knows. */
import { type FormEvent, type ReactNode, useRef, useState } from "react";
import { Button } from "@/components/Button";
import { Field } from "@/components/Field";
import { Spinner } from "@/components/Notice";
import { useProblemText } from "@/components/Problems";
import { useTranslator } from "@/i18n";
import { Problem } from "@/lib/api/client";
import { emailProblem, type FieldProblem, PASSWORD_MAX, PASSWORD_MIN, passwordProblem } from "./rules";

interface CredentialsFormProps {
  isNew: boolean;
  /** Rejects with a Problem. */
  onSubmit: (email: string, password: string) => Promise<void>;
  submitLabel: string;
  footer: ReactNode;
}

export function CredentialsForm({ isNew, onSubmit, submitLabel, footer }: CredentialsFormProps) {
  const { t } = useTranslator();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [isShown, setIsShown] = useState(false);
  const [isBusy, setIsBusy] = useState(false);
  const [wasSubmitted, setWasSubmitted] = useState(false);
  const [refusal, setRefusal] = useState<Problem | Error | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const problemText = useProblemText();

  const wrong = { email: emailProblem(email), password: passwordProblem(password, isNew) };
  const refusedField = fieldOf(refusal);
  const say = (problem: FieldProblem | null): string | undefined =>
    wasSubmitted && problem ? t(`account.${problem}`, { min: PASSWORD_MIN, max: PASSWORD_MAX }) : undefined;
  const refused = (field: string): string | undefined => (refusedField === field ? problemText(refusal) : undefined);

  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setWasSubmitted(true);
    setRefusal(null);
    if (isBusy) {
      return;
    }
    if (wrong.email || wrong.password) {
      focusField(form.current, wrong.email ? "email" : "password");
      return;
    }
    setIsBusy(true);
    try {
      await onSubmit(email.trim(), password);
    } catch (error) {
      setRefusal(error instanceof Error ? error : new Error(String(error)));
      focusField(form.current, fieldOf(error) ?? "password");
    } finally {
      setIsBusy(false);
    }
  };

  return (
    <form ref={form} onSubmit={submit} noValidate className="flex flex-col gap-5">
      <Field
        label={t("account.email")}
        name="email"
        type="email"
        autoComplete="username"
        inputMode="email"
        autoCapitalize="none"
        spellCheck={false}
        required
        value={email}
        onChange={(event) => setEmail(event.target.value)}
        error={say(wrong.email) ?? refused("email")}
      />
      <Field
        label={t("account.password")}
        name="password"
        type={isShown ? "text" : "password"}
        autoComplete={isNew ? "new-password" : "current-password"}
        autoCapitalize="none"
        // Shown as text it would be sent to whoever checks the spelling.
        spellCheck={false}
        required
        value={password}
        onChange={(event) => setPassword(event.target.value)}
        error={say(wrong.password) ?? refused("password")}
        hint={isNew ? <PasswordRules password={password} /> : undefined}
        below={
          <label className="flex min-h-8 items-center gap-2 text-muted text-sm">
            <input
              type="checkbox"
              className="size-4 accent-accent"
              checked={isShown}
              onChange={(event) => setIsShown(event.target.checked)}
            />
            {t("account.showPassword")}
          </label>
        }
      />
      {refusal && !refusedField && (
        <p role="alert" className="rounded-xl bg-danger-soft px-4 py-3 text-danger">
          {problemText(refusal)}
        </p>
      )}
      <Button type="submit" isOff={isBusy}>
        {isBusy && <Spinner />}
        {submitLabel}
      </Button>
      <p className="text-muted">{footer}</p>
    </form>
  );
}

/** The rule, and whether what is typed keeps it, while it is typed. */
function PasswordRules({ password }: { password: string }) {
  const { t } = useTranslator();
  const length = [...password].length;
  const isLong = length >= PASSWORD_MIN && length <= PASSWORD_MAX;
  return (
    <p className={`flex items-center gap-2 ${isLong ? "font-medium text-accent" : ""}`}>
      <span aria-hidden="true">{isLong ? "✓" : "○"}</span>
      {t("account.passwordRule", { min: PASSWORD_MIN, max: PASSWORD_MAX })}
      <span className="sr-only">{isLong ? t("account.ruleKept") : t("account.ruleNotKept")}</span>
    </p>
  );
}

/** The field that a refusal is about; null when it is about all of it. */
function fieldOf(error: unknown): "email" | "password" | null {
  if (!(error instanceof Problem)) {
    return null;
  }
  if (error.code === "email_taken") {
    return "email";
  }
  return error.field === "email" || error.field === "password" ? error.field : null;
}

function focusField(form: HTMLFormElement | null, name: string): void {
  form?.querySelector<HTMLInputElement>(`input[name="${name}"]`)?.focus();
}
