/** The product's picture: a file to upload, or back to the generated one. */
import { useState } from "react";
import { Button } from "@/components/Button";
import { Field } from "@/components/Field";
import { useTranslator } from "@/i18n";
import { PICTURE_TYPES } from "./picture";
import type { SaleForm } from "./useSaleForm";

/** @param productId of a product that exists, which may have an uploaded picture */
export function PictureField({ form, productId }: { form: SaleForm; productId?: string | undefined }) {
  const { t } = useTranslator();
  // A file input cannot be emptied but by another one in its place.
  const [generation, setGeneration] = useState(0);
  const change = (is: "kept" | "removed"): void => {
    form.changePicture({ is });
    setGeneration(generation + 1);
  };
  return (
    <div className="flex flex-col items-start gap-3">
      <Field
        key={generation}
        className="w-full"
        label={t("admin.form.picture")}
        name="picture"
        type="file"
        accept={PICTURE_TYPES.join(",")}
        onChange={(event) => {
          const file = event.target.files?.[0];
          form.changePicture(file ? { is: "chosen", file } : { is: "kept" });
        }}
        error={form.errorAt("picture")}
        hint={t(form.picture.is === "removed" ? "admin.form.pictureRemoved" : "admin.form.pictureHint")}
      />
      {form.picture.is !== "kept" && (
        <Button kind="secondary" onClick={() => change("kept")}>
          {t(form.picture.is === "removed" ? "admin.form.pictureKeep" : "admin.form.pictureUnchoose")}
        </Button>
      )}
      {form.picture.is === "kept" && productId && (
        <Button kind="secondary" onClick={() => change("removed")}>
          {t("admin.form.pictureRemove")}
        </Button>
      )}
    </div>
  );
}
