/** What is typed into the form, what is wrong with it, and sending it once. */
import { type FormEvent, useState } from "react";
import { useProblemText } from "@/components/Problems";
import { type MessageId, useTranslator } from "@/i18n";
import { Problem, type Sale } from "@/lib/api/client";
import { useSending } from "../useSending";
import {
  DESCRIPTION_MAX,
  type DraftProblem,
  draftProblems,
  NAME_MAX,
  QUANTITY_MAX,
  YEAR_MAX,
  YEAR_MIN,
} from "./draftProblems";
import { type PictureChange, type PictureProblem, pictureProblem } from "./picture";
import { PRICE_MAX_CENTS } from "./price";
import { type FormField, fieldOfRefusal, invalidReason } from "./refusal";
import { DRAFT_FIELDS, type DraftField, type SaleDraft } from "./saleDraft";

export interface SaleFormOptions {
  initial: SaleDraft;
  /** The sale that is being changed, as it is now. */
  sale?: Sale | undefined;
  sales: readonly Sale[];
  /** Rejects with a Problem. */
  onSubmit: (draft: SaleDraft, picture: PictureChange, before: SaleDraft) => Promise<void>;
}

export interface SaleForm {
  draft: SaleDraft;
  sold: number;
  picture: PictureChange;
  change: (changes: Partial<SaleDraft>) => void;
  leave: (field: DraftField) => void;
  changePicture: (picture: PictureChange) => void;
  /** What to say at a field. */
  errorAt: (field: FormField) => string | undefined;
  /** What to say of the whole. */
  refusal: string | null;
  isBusy: boolean;
  submit: (event: FormEvent<HTMLFormElement>) => Promise<void>;
}

/** A half-typed date is empty: whether it is wrong is said when the field is left. */
const DATES: ReadonlySet<DraftField> = new Set(["start_date", "end_date"]);

export function useSaleForm({ initial, sale, sales, onSubmit }: SaleFormOptions): SaleForm {
  const { language } = useTranslator();
  const [before] = useState(initial);
  const [draft, setDraft] = useState(initial);
  const [picture, setPicture] = useState<PictureChange>({ is: "kept" });
  const [seen, setSeen] = useState<ReadonlySet<DraftField>>(new Set());
  const { isBusy, refusal, forgetRefusal, send } = useSending();
  const sold = sale ? sale.quantity - sale.remaining_stock : 0;
  const problems = draftProblems(draft, { language, sale, sold, sales });
  const wrongPicture = picture.is === "chosen" ? pictureProblem(picture.file) : null;
  const texts = useFormTexts(sold);

  const see = (fields: readonly DraftField[]): void => setSeen((known) => new Set([...known, ...fields]));
  const change = (changes: Partial<SaleDraft>): void => {
    setDraft((now) => ({ ...now, ...changes }));
    forgetRefusal();
    see(DRAFT_FIELDS.filter((field) => field in changes && !DATES.has(field)));
  };

  const submit = async (event: FormEvent<HTMLFormElement>): Promise<void> => {
    event.preventDefault();
    const form = event.currentTarget;
    see(DRAFT_FIELDS);
    const first = DRAFT_FIELDS.find((field) => problems[field]) ?? (wrongPicture ? "picture" : undefined);
    if (first) {
      focusField(form, first);
      return;
    }
    const error = await send(() => onSubmit(draft, picture, before));
    focusField(form, fieldOfRefusal(error));
  };

  const refusedField = fieldOfRefusal(refusal);
  return {
    draft,
    sold,
    picture,
    change,
    // The end is judged by the start too.
    leave: (field) => see(DATES.has(field) ? ["start_date", "end_date"] : [field]),
    changePicture: (next) => {
      setPicture(next);
      forgetRefusal();
    },
    errorAt: (field) => {
      const problem = field === "picture" ? wrongPicture : seen.has(field) ? problems[field] : null;
      return problem ? texts.problem(problem) : refusedField === field ? texts.refusal(refusal) : undefined;
    },
    refusal: refusal !== null && refusedField === null ? texts.refusal(refusal) : null,
    isBusy,
    submit,
  };
}

/** The sentences for what is wrong, in the reader's language. */
function useFormTexts(sold: number) {
  const { t, number, price } = useTranslator();
  const problemText = useProblemText();
  const values: Partial<Record<DraftProblem | PictureProblem, Record<string, string>>> = {
    nameLong: { max: number(NAME_MAX) },
    descriptionLong: { max: number(DESCRIPTION_MAX) },
    priceWrong: { example: number(49.9, { minimumFractionDigits: 2 }) },
    priceHigh: { max: price(PRICE_MAX_CENTS) },
    quantityHigh: { max: number(QUANTITY_MAX) },
    quantityBelowSold: { sold: number(sold) },
    dateRange: { from: String(YEAR_MIN), to: String(YEAR_MAX) },
  };
  return {
    problem: (problem: DraftProblem | PictureProblem): string => {
      const id: MessageId =
        problem === "pictureType"
          ? "problem.picture_type_unsupported"
          : problem === "pictureSize"
            ? "problem.picture_too_large"
            : problem === "overlaps"
              ? "problem.sale_overlaps"
              : `admin.form.error.${problem}`;
      return t(id, values[problem]);
    },
    refusal: (refusal: unknown): string => {
      const reason = invalidReason(refusal);
      if (reason) {
        return t("admin.form.error.refused", { reason });
      }
      const isReused = refusal instanceof Problem && refusal.code === "idempotency_key_reused";
      return isReused ? t("admin.form.error.maybeSaved") : problemText(refusal);
    },
  };
}

function focusField(form: HTMLFormElement, name: FormField | null): void {
  const field = name && form.elements.namedItem(name);
  if (field instanceof HTMLElement) {
    field.focus();
  }
}
