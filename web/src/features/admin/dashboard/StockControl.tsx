/** Raising and lowering the stock while it sells: the new total is seen before it is set. */
import { type FormEvent, useState } from "react";
import { useAnnounceChange } from "@/components/Announcer";
import { Button } from "@/components/Button";
import { Field } from "@/components/Field";
import { Spinner } from "@/components/Notice";
import { useProblemText } from "@/components/Problems";
import { useTranslator } from "@/i18n";
import type { Sale } from "@/lib/api/client";
import { QUANTITY_MAX, quantityProblem } from "../form/draftProblems";
import { parseQuantity } from "../form/saleDraft";
import { updateSale, useSaleChanged } from "../saleRequests";
import { useSending } from "../useSending";

const STEPS = [-10, -1, 1, 10] as const;

export function StockControl({ sale, headingId }: { sale: Sale; headingId: string }) {
  const { t, number } = useTranslator();
  const control = useQuantity(sale);
  const { sold, wanted, problem, isSame } = control;
  const values = { sold: number(sold), max: number(QUANTITY_MAX) };
  const error = problem ? t(`admin.form.error.${problem}`, values) : (control.refusal ?? undefined);
  return (
    <form onSubmit={(event) => void control.submit(event)} noValidate className="flex flex-col gap-4">
      <h2 id={headingId} className="font-display font-semibold text-xl">
        {t("admin.stock.title")}
      </h2>
      <div className="flex flex-wrap items-end gap-2">
        <Field
          label={t("admin.stock.total")}
          name="quantity"
          inputMode="numeric"
          autoComplete="off"
          className="w-36"
          value={control.text}
          onChange={(event) => control.type(event.target.value)}
        />
        <Steps control={control} />
      </div>
      {error ? (
        <p role="alert" className="text-danger">
          {error}
        </p>
      ) : (
        <p className="tabular text-muted">
          {isSame || wanted === null
            ? t("admin.stock.same", { quantity: number(sale.quantity), sold: number(sold) })
            : t("admin.stock.change", {
                before: number(sale.quantity),
                after: number(wanted),
                left: number(wanted - sold),
              })}
        </p>
      )}
      {/* Without what is sold, which changes every second. */}
      <p aria-live="polite" className="sr-only">
        {!isSame && wanted !== null && !error ? t("admin.stock.setTo", { quantity: number(wanted) }) : ""}
      </p>
      <div className="flex flex-wrap gap-3">
        <Button type="submit" isOff={isSame || wanted === null || problem !== null || control.isBusy}>
          {control.isBusy && <Spinner />}
          {isSame || wanted === null ? t("admin.stock.set") : t("admin.stock.setTo", { quantity: number(wanted) })}
        </Button>
        {!isSame && (
          <Button kind="quiet" onClick={control.reset}>
            {t("admin.cancel")}
          </Button>
        )}
      </div>
    </form>
  );
}

function Steps({ control: { wanted, sold, step } }: { control: ReturnType<typeof useQuantity> }) {
  const { t } = useTranslator();
  return (
    <div className="grid grid-cols-4 gap-2">
      {STEPS.map((by) => (
        <Button
          key={by}
          kind="secondary"
          className="min-w-12 px-2!"
          isOff={wanted === null || (by < 0 && wanted <= sold) || (by > 0 && wanted >= QUANTITY_MAX)}
          aria-label={t(by > 0 ? "admin.stock.raise" : "admin.stock.lower", { by: Math.abs(by) })}
          onClick={() => step(by)}
        >
          {by > 0 ? `+${by}` : `−${-by}`}
        </Button>
      ))}
    </div>
  );
}

/** The total that is being chosen; follows the sale's own until it is touched. */
function useQuantity(sale: Sale) {
  const { t, number } = useTranslator();
  const problemText = useProblemText();
  const saleChanged = useSaleChanged();
  const [typed, setTyped] = useState<string | null>(null);
  const { isBusy, refusal, forgetRefusal, send } = useSending();
  const sold = sale.quantity - sale.remaining_stock;
  const text = typed ?? String(sale.quantity);
  const wanted = parseQuantity(text);
  const problem = typed === null ? null : quantityProblem(typed, sold);
  useAnnounceChange(t("admin.stock.announce", { quantity: number(sale.quantity) }));

  const type = (next: string | null): void => {
    setTyped(next);
    forgetRefusal();
  };
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    if (wanted === null || wanted === sale.quantity || problem) {
      return;
    }
    await send(async () => {
      await updateSale({ flash_sale_id: sale.flash_sale_id, quantity: wanted });
      await saleChanged(sale.flash_sale_id);
      setTyped(null);
    });
  };
  return {
    text,
    sold,
    wanted,
    problem,
    refusal: refusal === null ? null : problemText(refusal),
    isBusy,
    isSame: wanted === sale.quantity,
    type,
    step: (by: number) => type(String(Math.min(QUANTITY_MAX, Math.max(sold, (wanted ?? sale.quantity) + by)))),
    reset: () => type(null),
    submit,
  };
}
