//! A picture while it is made: floating-point colours, and the shape in which it will be seen.

/// Colours in 0...1, row by row.
struct Picture {
    let width: Int
    let height: Int
    var pixels: [Paint]

    init(width: Int, height: Int) {
        self.width = width
        self.height = height
        pixels = [Paint](repeating: Paint(), count: width * height)
    }
}

/// Lengths of a picture that is shown `aspect` times as wide as high, with an area of 1.
struct View {
    /// Shown width and height.
    let width: Float
    let height: Float

    init(aspect: Float) {
        width = aspect.squareRoot()
        height = 1 / aspect.squareRoot()
    }
}
