/** What is sold: a product described here, or one that was sold before. */
import { useId } from "react";
import { Field, TextArea } from "@/components/Field";
import { useTranslator } from "@/i18n";
import type { Sale } from "@/lib/api/client";
import { DESCRIPTION_MAX, NAME_MAX } from "./draftProblems";
import { PictureField } from "./PictureField";
import { parsePrice } from "./price";
import type { SaleForm } from "./useSaleForm";

export type Product = Pick<Sale, "product_id" | "name" | "description" | "price_in_cents">;

/** Every product of which there is or was a sale, by name. */
export function knownProducts(sales: readonly Sale[]): Product[] {
  const products = new Map(sales.map((sale) => [sale.product_id, sale]));
  return [...products.values()].sort((a, b) => a.name.localeCompare(b.name));
}

interface ProductFieldsProps {
  form: SaleForm;
  /** The sale that is being changed. */
  sale?: Sale | undefined;
  products: readonly Product[];
}

export function ProductFields({ form, sale, products }: ProductFieldsProps) {
  const { t } = useTranslator();
  const isOfKnownProduct = form.draft.product_id !== "" && !sale;
  return (
    <fieldset className="flex min-w-0 flex-col gap-5">
      <legend className="mb-4 font-display font-semibold text-2xl">{t("admin.form.product")}</legend>
      {!sale && products.length > 0 && <ProductChoice form={form} products={products} />}
      {isOfKnownProduct ? (
        <p className="text-muted">{t("admin.form.knownProductHint")}</p>
      ) : (
        <>
          <DescriptionFields form={form} />
          <PictureField form={form} productId={sale?.product_id} />
        </>
      )}
    </fieldset>
  );
}

function ProductChoice({ form, products }: { form: SaleForm; products: readonly Product[] }) {
  const { t, price } = useTranslator();
  const id = useId();
  const error = form.errorAt("product_id");
  return (
    <div className="flex flex-col gap-1.5">
      <label htmlFor={id} className="font-medium">
        {t("admin.form.productChoice")}
      </label>
      <select
        id={id}
        name="product_id"
        value={form.draft.product_id}
        onChange={(event) => form.change({ product_id: event.target.value })}
        className="min-h-11 w-full rounded-xl border border-edge bg-card px-4 py-2.5 text-ink"
        {...(error ? { "aria-invalid": true, "aria-describedby": `${id}-error` } : {})}
      >
        <option value="">{t("admin.form.newProduct")}</option>
        <optgroup label={t("admin.form.soldBefore")}>
          {products.map(({ product_id, name, price_in_cents }) => (
            <option key={product_id} value={product_id}>
              {name} · {price(price_in_cents)}
            </option>
          ))}
        </optgroup>
      </select>
      {error && (
        <p id={`${id}-error`} className="text-danger text-sm">
          {error}
        </p>
      )}
    </div>
  );
}

function DescriptionFields({ form }: { form: SaleForm }) {
  const { t, price, number, language } = useTranslator();
  const cents = parsePrice(form.draft.price_in_cents, language);
  const error = form.errorAt("price_in_cents");
  return (
    <>
      <Field
        label={t("admin.form.name")}
        name="name"
        autoComplete="off"
        required
        value={form.draft.name}
        onChange={(event) => form.change({ name: event.target.value })}
        onBlur={() => form.leave("name")}
        error={form.errorAt("name")}
        hint={t("admin.form.length", { length: number([...form.draft.name].length), max: number(NAME_MAX) })}
      />
      <TextArea
        label={t("admin.form.description")}
        name="description"
        rows={4}
        value={form.draft.description}
        onChange={(event) => form.change({ description: event.target.value })}
        onBlur={() => form.leave("description")}
        error={form.errorAt("description")}
        hint={t("admin.form.length", {
          length: number([...form.draft.description].length),
          max: number(DESCRIPTION_MAX),
        })}
      />
      <Field
        label={t("admin.form.price")}
        name="price_in_cents"
        inputMode="decimal"
        autoComplete="off"
        required
        className="max-w-64"
        value={form.draft.price_in_cents}
        onChange={(event) => form.change({ price_in_cents: event.target.value })}
        onBlur={() => form.leave("price_in_cents")}
        error={error}
        hint={
          cents !== null ? t("admin.form.priceRead", { price: price(cents) }) : error ? null : t("admin.form.priceHint")
        }
      />
    </>
  );
}
