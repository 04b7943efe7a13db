/** A product's picture in a frame of fixed shape, so that nothing moves when it arrives. */
interface PictureProps {
  productId: string;
  /** Changes when the picture was replaced, so that the browser asks again. */
  version?: number;
  /** Of the first thing to be seen: loaded before the rest. */
  isFirst?: boolean;
  isFaded?: boolean;
  /** Lower on a phone, so that the button below is on the first screen. */
  isWide?: boolean;
}

export function Picture({ productId, version, isFirst = false, isFaded = false, isWide = false }: PictureProps) {
  return (
    <div
      className={`overflow-hidden rounded-card bg-sunken ${isWide ? "aspect-[4/3] md:aspect-square" : "aspect-square"}`}
    >
      <img
        src={`/products/${productId}/picture${version ? `?v=${version}` : ""}`}
        // The name stands beside it; whatever else it shows is decoration.
        alt=""
        width="800"
        height="800"
        loading={isFirst ? "eager" : "lazy"}
        fetchPriority={isFirst ? "high" : "auto"}
        className={`size-full object-cover ${isFaded ? "opacity-60 saturate-50" : ""}`}
      />
    </div>
  );
}
