/// How a tensor's elements are stored: floats, or blocks of whole numbers that share scales (ggml's `ggml_type`).
package enum GGUFTensorType: Sendable, Hashable {
    case f32, f16, bf16
    case q4_0, q4_1, q5_0, q5_1, q8_0, q2_K, q3_K, q4_K, q5_K, q6_K, iq4_NL, iq4_XS, mxfp4
    /// One that is not read here, by ggml's number.
    case other(UInt32)

    /// The types that are read, in the order in which messages list them.
    package static let supported: [GGUFTensorType] = [
        .f32, .f16, .bf16, .q8_0, .q5_1, .q5_0, .q4_1, .q4_0, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .iq4_NL, .iq4_XS,
        .mxfp4,
    ]

    init(_ number: UInt32) { self = Self.supported.first { $0.number == number } ?? .other(number) }

    private var number: UInt32 {
        switch self {
        case .f32: 0
        case .f16: 1
        case .q4_0: 2
        case .q4_1: 3
        case .q5_0: 6
        case .q5_1: 7
        case .q8_0: 8
        case .q2_K: 10
        case .q3_K: 11
        case .q4_K: 12
        case .q5_K: 13
        case .q6_K: 14
        case .iq4_NL: 20
        case .iq4_XS: 23
        case .bf16: 30
        case .mxfp4: 39
        case .other(let number): number
        }
    }

    /// Elements of a block and the bytes that it takes; nil for a type that is not read here.
    package var block: (elements: Int, bytes: Int)? {
        switch self {
        case .f32: (1, 4)
        case .f16, .bf16: (1, 2)
        case .q4_0: (32, 18)
        case .q4_1: (32, 20)
        case .q5_0: (32, 22)
        case .q5_1: (32, 24)
        case .iq4_NL: (32, 18)
        case .q8_0: (32, 34)
        case .mxfp4: (32, 17)
        case .q2_K: (256, 84)
        case .q3_K: (256, 110)
        case .iq4_XS: (256, 136)
        case .q4_K: (256, 144)
        case .q5_K: (256, 176)
        case .q6_K: (256, 210)
        case .other: nil
        }
    }

    /// As ggml writes it.
    package var name: String {
        switch self {
        case .f32: "F32"
        case .f16: "F16"
        case .bf16: "BF16"
        case .q4_0: "Q4_0"
        case .q8_0: "Q8_0"
        case .q4_K: "Q4_K"
        case .q5_K: "Q5_K"
        case .q6_K: "Q6_K"
        case .q4_1: "Q4_1"
        case .q5_1: "Q5_1"
        case .q2_K: "Q2_K"
        case .q3_K: "Q3_K"
        case .iq4_XS: "IQ4_XS"
        case .mxfp4: "MXFP4"
        case .q5_0: "Q5_0"
        case .iq4_NL: "IQ4_NL"
        case .other(let number): Self.otherNames[number] ?? "type \(number)"
        }
    }

    private static let otherNames: [UInt32: String] = [
        9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS",
        18: "IQ3_XXS", 19: "IQ1_S", 21: "IQ3_S", 22: "IQ2_S", 24: "I8", 25: "I16",
        26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 40: "NVFP4",
    ]
}
