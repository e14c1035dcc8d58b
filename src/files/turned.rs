//! A picture seen turned or mirrored, without a second copy of its pixels.

use image::{GenericImageView, ImageBuffer, Pixel, metadata::Orientation};

/// A view of a picture.
pub(super) struct Turned<'a, P: Pixel> {
    pub image: &'a ImageBuffer<P, Vec<P::Subpixel>>,
    pub orientation: Orientation,
}

impl<P: Pixel> GenericImageView for Turned<'_, P> {
    type Pixel = P;

    fn dimensions(&self) -> (u32, u32) {
        let (width, height) = self.image.dimensions();
        if is_upright(self.orientation) { (width, height) } else { (height, width) }
    }

    fn get_pixel(&self, x: u32, y: u32) -> P {
        let (width, height) = self.image.dimensions();
        // Each closure counts from the other side.
        let from_right = |x: u32| width - 1 - x;
        let from_bottom = |y: u32| height - 1 - y;
        let (x, y) = match self.orientation {
            Orientation::NoTransforms => (x, y),
            Orientation::FlipHorizontal => (from_right(x), y),
            Orientation::FlipVertical => (x, from_bottom(y)),
            Orientation::Rotate180 => (from_right(x), from_bottom(y)),
            Orientation::Rotate90 => (y, from_bottom(x)),
            Orientation::Rotate270 => (from_right(y), x),
            Orientation::Rotate90FlipH => (y, x),
            Orientation::Rotate270FlipH => (from_right(y), from_bottom(x)),
        };
        *self.image.get_pixel(x, y)
    }
}

/// Returns whether width and height stay.
pub(super) fn is_upright(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::NoTransforms
            | Orientation::FlipHorizontal
            | Orientation::FlipVertical
            | Orientation::Rotate180
    )
}

#[cfg(test)]
mod tests {
    use image::{DynamicImage, Rgb, RgbImage};

    use super::*;

    #[test]
    fn the_view_is_what_a_turned_copy_is() {
        let image = RgbImage::from_fn(5, 3, |x, y| Rgb([x as u8, y as u8, 0]));
        for exif in 1..=8 {
            let orientation = Orientation::from_exif(exif).unwrap();
            let mut copy = DynamicImage::ImageRgb8(image.clone());
            copy.apply_orientation(orientation);
            let (copy, view) = (copy.to_rgb8(), Turned { image: &image, orientation });
            assert_eq!(view.dimensions(), copy.dimensions(), "{exif}");
            let is_same = |(x, y, pixel): (u32, u32, &Rgb<u8>)| view.get_pixel(x, y) == *pixel;
            assert!(copy.enumerate_pixels().all(is_same), "{exif}");
        }
    }
}
