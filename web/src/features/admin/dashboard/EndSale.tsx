/** Ending a sale before its time, after being asked once. */
import { useRef, useState } from "react";
import { Button } from "@/components/Button";
import { Dialog } from "@/components/Dialog";
import { Spinner } from "@/components/Notice";
import { useProblemText } from "@/components/Problems";
import { useTranslator } from "@/i18n";
import type { Sale } from "@/lib/api/client";
import { newIdempotencyKey } from "@/lib/api/idempotencyKey";
import { isFateUnknown } from "../form/refusal";
import { endSale, useSaleChanged } from "../saleRequests";
import { useSending } from "../useSending";

export function EndSale({ sale }: { sale: Sale }) {
  const { t, number } = useTranslator();
  const problemText = useProblemText();
  const [isAsking, setIsAsking] = useState(false);
  const ending = useEndSale(sale, () => {
    setIsAsking(false);
    // What was pressed is gone.
    document.getElementById("main")?.focus();
  });
  return (
    <div className="mt-auto flex flex-wrap items-center justify-between gap-3 border-line border-t pt-5">
      <p className="text-muted">{t("admin.end.text")}</p>
      <Button kind="danger" onClick={() => setIsAsking(true)}>
        {t("admin.end.now")}
      </Button>
      <Dialog
        title={t("admin.end.title", { name: sale.name })}
        isOpen={isAsking}
        onClose={() => setIsAsking(false)}
        actions={
          <>
            <Button kind="secondary" onClick={() => setIsAsking(false)}>
              {t("admin.end.keep")}
            </Button>
            <Button kind="danger" isOff={ending.isBusy} onClick={() => void ending.end()}>
              {ending.isBusy && <Spinner />}
              {t("admin.end.now")}
            </Button>
          </>
        }
      >
        <p>{t("admin.end.consequence", { left: number(Math.max(0, sale.remaining_stock)) })}</p>
        {ending.refusal !== null && (
          <p role="alert" className="mt-3 rounded-xl bg-danger-soft px-4 py-3 text-danger">
            {problemText(ending.refusal)}
          </p>
        )}
      </Dialog>
    </div>
  );
}

function useEndSale(sale: Sale, onEnded: () => void) {
  const saleChanged = useSaleChanged();
  const { isBusy, refusal, send } = useSending();
  const key = useRef<string | null>(null);
  const end = async (): Promise<void> => {
    const error = await send(async () => {
      key.current ??= newIdempotencyKey();
      await endSale(sale.flash_sale_id, key.current);
      await saleChanged(sale.flash_sale_id);
      onEnded();
    });
    // Only what may have arrived goes out again with the same key.
    if (error !== null && !isFateUnknown(error)) {
      key.current = null;
    }
  };
  return { end, isBusy, refusal };
}
