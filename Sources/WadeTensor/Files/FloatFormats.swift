//! Conversions between float32 and the other float formats of weight files, exact or rounded to nearest even.

/// The value of an IEEE 754 half-precision number given by its bits; exact, subnormals and NaN payloads included.
@inline(__always)
func float32(halfBits bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let magnitude = UInt32(bits & 0x7FFF) << 13
    // Exponents are biased by 15 in half and by 127 in single precision; all ones stay all ones.
    let normal = magnitude &+ (112 << 23)
    let special = magnitude &+ (224 << 23)
    // 2⁻¹⁴·(1 + m) − 2⁻¹⁴ = 2⁻¹⁴·m without touching a float32 subnormal.
    let smallest = Float(bitPattern: 113 << 23)
    let subnormal = (Float(bitPattern: magnitude &+ (113 << 23)) - smallest).bitPattern
    let finite = magnitude < (1 << 23) ? subnormal : normal
    return Float(bitPattern: sign | (magnitude >= (31 << 23) ? special : finite))
}

/// The value of a bfloat16 number given by its bits: the upper half of a float32.
@inline(__always)
func float32(bfloat16Bits bits: UInt16) -> Float {
    Float(bitPattern: UInt32(bits) << 16)
}

/// The bits of the bfloat16 nearest to `value`, ties to even; NaN stays NaN.
@inline(__always)
func bfloat16Bits(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let rounded = bits &+ 0x7FFF &+ ((bits >> 16) & 1)
    return UInt16(truncatingIfNeeded: (value.isNaN ? bits | 0x0040_0000 : rounded) >> 16)
}

/// Reads `out.count` numbers of a float format from `bytes` (any alignment) as float32; float64 is rounded.
func widen(
    _ bytes: UnsafeRawBufferPointer, from type: ElementType,
    into out: UnsafeMutableBufferPointer<Float>
) {
    precondition(bytes.count == out.count * type.byteCount, "widen: sizes differ")
    switch type {
    case .float32:
        unsafe UnsafeMutableRawBufferPointer(out).copyMemory(from: bytes)
    case .float16:
        for i in 0..<out.count {
            let bits = unsafe bytes.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)
            unsafe out[i] = float32(halfBits: bits)
        }
    case .bfloat16:
        for i in 0..<out.count {
            let bits = unsafe bytes.loadUnaligned(fromByteOffset: 2 * i, as: UInt16.self)
            unsafe out[i] = float32(bfloat16Bits: bits)
        }
    case .float64:
        for i in 0..<out.count {
            let value = unsafe bytes.loadUnaligned(fromByteOffset: 8 * i, as: Double.self)
            unsafe out[i] = Float(value)
        }
    default:
        preconditionFailure("widen: \(type) is not a float format")
    }
}

/// Writes float32 values in a float format to `bytes` (any alignment), rounded to nearest even.
func narrow(
    _ values: UnsafeBufferPointer<Float>, to type: ElementType,
    into bytes: UnsafeMutableRawBufferPointer
) {
    precondition(bytes.count == values.count * type.byteCount, "narrow: sizes differ")
    switch type {
    case .float32:
        unsafe bytes.copyMemory(from: UnsafeRawBufferPointer(values))
    case .float16:
        for i in 0..<values.count {
            let bits = unsafe Float16(values[i]).bitPattern
            unsafe bytes.storeBytes(of: bits, toByteOffset: 2 * i, as: UInt16.self)
        }
    case .bfloat16:
        for i in 0..<values.count {
            let bits = unsafe bfloat16Bits(values[i])
            unsafe bytes.storeBytes(of: bits, toByteOffset: 2 * i, as: UInt16.self)
        }
    case .float64:
        for i in 0..<values.count {
            let value = unsafe Double(values[i])
            unsafe bytes.storeBytes(of: value, toByteOffset: 8 * i, as: Double.self)
        }
    default:
        preconditionFailure("narrow: \(type) is not a float format")
    }
}
