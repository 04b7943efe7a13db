/** The form of a sale, new or changed, beside what shoppers will see of it. */
import { Button, ButtonLink } from "@/components/Button";
import { Field } from "@/components/Field";
import { Spinner } from "@/components/Notice";
import { useTranslator } from "@/i18n";
import { DateFields } from "./DateFields";
import { knownProducts, ProductFields } from "./ProductFields";
import { SalePreview } from "./SalePreview";
import { type SaleFormOptions, useSaleForm } from "./useSaleForm";

interface SaleFormProps extends SaleFormOptions {
  submitLabel: string;
  /** Where to go instead. */
  backHref: string;
}

export function SaleForm({ submitLabel, backHref, ...options }: SaleFormProps) {
  const { t, number } = useTranslator();
  const form = useSaleForm(options);
  const { sale, sales } = options;
  const products = knownProducts(sales);
  return (
    <form
      onSubmit={(event) => void form.submit(event)}
      noValidate
      aria-label={submitLabel}
      className="grid items-start gap-x-12 gap-y-8 lg:grid-cols-[minmax(0,1fr)_24rem]"
    >
      <div className="flex min-w-0 flex-col gap-8">
        <ProductFields form={form} sale={sale} products={products} />
        <fieldset className="flex min-w-0 flex-col gap-5">
          <legend className="mb-4 font-display font-semibold text-2xl">{t("admin.form.offer")}</legend>
          <Field
            label={t("admin.form.quantity")}
            name="quantity"
            inputMode="numeric"
            autoComplete="off"
            required
            className="max-w-xs"
            value={form.draft.quantity}
            onChange={(event) => form.change({ quantity: event.target.value })}
            onBlur={() => form.leave("quantity")}
            error={form.errorAt("quantity")}
            hint={sale ? t("admin.form.quantitySold", { sold: number(form.sold) }) : t("admin.form.quantityHint")}
          />
          <DateFields form={form} sale={sale} />
        </fieldset>
      </div>
      <SalePreview
        draft={form.draft}
        picture={form.picture}
        sold={form.sold}
        sale={sale}
        product={products.find(({ product_id }) => product_id === form.draft.product_id)}
      />
      <div className="flex flex-col gap-4">
        {form.refusal && (
          <p role="alert" className="rounded-xl bg-danger-soft px-4 py-3 text-danger">
            {form.refusal}
          </p>
        )}
        <div className="flex flex-wrap gap-3">
          <Button type="submit" isOff={form.isBusy}>
            {form.isBusy && <Spinner />}
            {submitLabel}
          </Button>
          <ButtonLink href={backHref} kind="quiet">
            {t("admin.cancel")}
          </ButtonLink>
        </div>
      </div>
    </form>
  );
}
