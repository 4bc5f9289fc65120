internal import CKernels

/// Whole numbers with a scale, and perhaps a minimum, for every `group` inputs: weight = scale · q − minimum.
package struct GroupedFormat: Sendable, Hashable {
    /// How scales are held.
    enum Scales: String, Sendable, Hashable {
        /// In f32.
        case plain
        /// In f32, with a minimum in f32 (GGUF's Q4_1 and Q5_1, and formats with zero points).
        case minimum
        /// As multiples of factors that 256 inputs share (GGUF's K formats).
        case k
    }

    /// Bits of a whole number as its type says: 8, in −127…127, or 4, in −8…7. With a minimum they are from 0 on; of the K
    /// formats Q3_K is in −4…3, Q6_K in −32…31.
    package let bits: Int
    /// Inputs that share a scale: 16, 32 or 64.
    package let group: Int
    let scales: Scales

    /// Whether weights can be quantized to it here; the others come from files only.
    var isPlain: Bool { scales == .plain }
    var hasMinimums: Bool { scales == .minimum }

    /// One with f32 scales.
    package init(bits: Int, group: Int = 64) {
        precondition(
            (bits == 8 && [16, 32, 64].contains(group)) || (bits == 4 && [32, 64].contains(group)),
            "no format of \(bits) bits in groups of \(group)")
        self.init(bits, group, .plain)
    }

    /// One with scales and minimums in f32, of 4 or 8 bits in groups of 32 or 64.
    package static func minimums(bits: Int, group: Int) -> GroupedFormat {
        precondition(
            [4, 8].contains(bits) && [32, 64].contains(group),
            "no format of \(bits) bits with minimums in groups of \(group)")
        return GroupedFormat(bits, group, .minimum)
    }

    private init(_ bits: Int, _ group: Int, _ scales: Scales) {
        (self.bits, self.group, self.scales) = (bits, group, scales)
    }

    /// One that a file names; nil for none that is known.
    init?(stored bits: Int, _ group: Int, _ scales: Scales) {
        let format = GroupedFormat(bits, group, scales)
        let plain = (bits == 8 && [16, 32, 64].contains(group)) || (bits == 4 && [32, 64].contains(group))
        let others: [GroupedFormat] = [
            .q4_1, .q5_1, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K, .minimums(bits: 4, group: 64),
            .minimums(bits: 8, group: 32), .minimums(bits: 8, group: 64),
        ]
        guard scales == .plain ? plain : others.contains(format) else { return nil }
        self = format
    }

    static let q4_1 = GroupedFormat(4, 32, .minimum)
    static let q5_1 = GroupedFormat(5, 32, .minimum)
    static let q2_K = GroupedFormat(2, 16, .k)
    static let q3_K = GroupedFormat(3, 16, .k)
    static let q4_K = GroupedFormat(4, 32, .k)
    static let q5_K = GroupedFormat(5, 32, .k)
    static let q6_K = GroupedFormat(6, 16, .k)

    /// Groups that hold `depth` inputs; the last one is filled up with zeros.
    package func groups(_ depth: Int) -> Int { (depth + group - 1) / group }

    var kernelFormat: nephele_grouped_format {
        switch (bits, scales) {
        case (4, .plain): NEPHELE_GROUPED_4
        case (4, .minimum): NEPHELE_GROUPED_4_MINIMUM
        case (5, .minimum): NEPHELE_GROUPED_5_MINIMUM
        case (8, .minimum): NEPHELE_GROUPED_8_MINIMUM
        case (2, .k): NEPHELE_GROUPED_Q2_K
        case (3, .k): NEPHELE_GROUPED_Q3_K
        case (4, .k): NEPHELE_GROUPED_Q4_K
        case (5, .k): NEPHELE_GROUPED_Q5_K
        case (6, .k): NEPHELE_GROUPED_Q6_K
        default: NEPHELE_GROUPED_8
        }
    }

    /// How rows lie that are multiplied by such weights.
    func rowLayout(isWide: Bool, for instructionSet: Device.InstructionSet) -> nephele_row_layout {
        nephele_grouped_row_layout(instructionSet.isa, kernelFormat, isWide ? 1 : 0)
    }

    /// The size of a panel of 16 outputs, in bytes.
    func panelBytes(_ depth: Int) -> Int { nephele_grouped_panel_bytes(kernelFormat, groups(depth), group) }
}

extension nephele_row_layout {
    /// Bytes of an input.
    var width: Int { self == NEPHELE_ROWS_BYTES ? 1 : 2 }
}

extension GroupedFormat: CustomStringConvertible {
    package var description: String {
        switch scales {
        case .plain: group == 64 ? "int\(bits)" : "int\(bits) in groups of \(group)"
        case .minimum: group == 32 ? "q\(bits)_1" : "int\(bits) with minimums"
        case .k: "q\(bits)_k"
        }
    }
}
