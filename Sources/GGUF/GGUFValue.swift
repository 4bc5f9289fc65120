/// A value of a GGUF file's metadata. Strings are bytes: a vocabulary's entries need not be UTF-8.
package enum GGUFValue: Sendable {
    case integer(Int)
    case float(Double)
    case bool(Bool)
    case string([UInt8])
    case array([GGUFValue])

    package var integer: Int? { if case .integer(let value) = self { value } else { nil } }
    package var bool: Bool? { if case .bool(let value) = self { value } else { nil } }
    package var bytes: [UInt8]? { if case .string(let value) = self { value } else { nil } }
    package var text: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }
    package var array: [GGUFValue]? { if case .array(let values) = self { values } else { nil } }

    /// A float, or an integer as one.
    package var number: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .float(let value): value
        case .bool, .string, .array: nil
        }
    }

    /// The format's numbers for the types of values.
    enum Kind: UInt32 {
        case u8 = 0, i8, u16, i16, u32, i32, f32, bool, string, array, u64, i64, f64

        /// The fewest bytes that a value takes.
        var size: Int {
            switch self {
            case .u8, .i8, .bool: 1
            case .u16, .i16: 2
            case .u32, .i32, .f32: 4
            case .u64, .i64, .f64, .string: 8
            case .array: 12
            }
        }
    }
}
