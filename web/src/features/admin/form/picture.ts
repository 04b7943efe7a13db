/** The picture chosen for a product: what may be uploaded, and what is to become of the one there is. */

export const PICTURE_TYPES = ["image/png", "image/jpeg", "image/webp", "image/avif"] as const;
export type PictureType = (typeof PICTURE_TYPES)[number];
export const PICTURE_BYTES_MAX = 1024 * 1024;

export type PictureChange = { is: "kept" } | { is: "removed" } | { is: "chosen"; file: File };

export type PictureProblem = "pictureType" | "pictureSize";

export function pictureProblem(file: Pick<File, "type" | "size">): PictureProblem | null {
  if (!PICTURE_TYPES.some((type) => type === file.type)) {
    return "pictureType";
  }
  return file.size > PICTURE_BYTES_MAX ? "pictureSize" : null;
}
