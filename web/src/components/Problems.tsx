/** What went wrong, in the reader's language, with a way on. */
import type { ReactNode } from "react";
import { type MessageId, useTranslator } from "@/i18n";
import { Problem } from "@/lib/api/client";
import { Button } from "./Button";
import { Notice } from "./Notice";

const KNOWN: Record<string, MessageId> = {
  unreachable: "problem.unreachable",
  unavailable: "problem.unavailable",
  too_many_requests: "problem.too_many_requests",
  outcome_unknown: "problem.outcome_unknown",
  unauthorized: "problem.unauthorized",
  forbidden: "problem.forbidden",
  invalid_credentials: "problem.invalid_credentials",
  email_taken: "problem.email_taken",
  sale_overlaps: "problem.sale_overlaps",
  quantity_below_sold: "problem.quantity_below_sold",
  sale_not_active: "problem.sale_not_active",
  sale_not_found: "problem.sale_not_found",
  picture_too_large: "problem.picture_too_large",
  picture_type_unsupported: "problem.picture_type_unsupported",
};

/** The sentence for an error: ours where we have one, else the server's. */
export function useProblemText(): (error: unknown) => string {
  const { t } = useTranslator();
  return (error) => {
    if (!(error instanceof Problem)) {
      return t("problem.unknown");
    }
    const known = KNOWN[error.code];
    return known ? t(known) : error.message;
  };
}

interface ProblemNoticeProps {
  error: unknown;
  onRetry?: () => void;
  actions?: ReactNode;
}

export function ProblemNotice({ error, onRetry, actions }: ProblemNoticeProps) {
  const { t } = useTranslator();
  const text = useProblemText();
  return (
    <div role="alert">
      <Notice
        tone="bad"
        title={t("problem.title")}
        actions={
          <>
            {onRetry && (
              <Button kind="secondary" onClick={onRetry}>
                {t("problem.retry")}
              </Button>
            )}
            {actions}
          </>
        }
      >
        <p>{text(error)}</p>
      </Notice>
    </div>
  );
}
