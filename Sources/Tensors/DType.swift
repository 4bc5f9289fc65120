/// The type of a tensor's elements.
package enum DType: String, Sendable, CaseIterable {
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case i64 = "I64"
    case i32 = "I32"
    case i8 = "I8"
    case u8 = "U8"
    /// OCP's 8-bit floating point with 4 bits of exponent.
    case f8e4m3 = "F8_E4M3"

    /// Bytes an element takes.
    package var size: Int {
        switch self {
        case .i64: 8
        case .f32, .i32: 4
        case .f16, .bf16: 2
        case .i8, .u8, .f8e4m3: 1
        }
    }
}
