internal import CKernels

/// Whole numbers with a scale, and perhaps a minimum, for every `group` inputs: weight = scale · q − minimum.
package struct GroupedFormat: Sendable, Hashable {
    /// Bits of a whole number: 8, in −127…127, or 4, in −8…7; GGUF's K formats have 4 and 5 from 0 on, or 6, in −32…31.
    package let bits: Int
    /// Inputs that share a scale: 16, 32 or 64.
    package let group: Int
    /// Whether scales (and minimums) are multiples of factors that 256 inputs share, as in GGUF's K formats.
    package let isKFormat: Bool

    /// One with f32 scales.
    package init(bits: Int, group: Int = 64) {
        precondition(
            (bits == 8 && [16, 32, 64].contains(group)) || (bits == 4 && [32, 64].contains(group)),
            "no format of \(bits) bits in groups of \(group)")
        self.init(bits, group, isKFormat: false)
    }

    private init(_ bits: Int, _ group: Int, isKFormat: Bool) {
        (self.bits, self.group, self.isKFormat) = (bits, group, isKFormat)
    }

    /// One that a file names; nil for none that is known.
    init?(stored bits: Int, _ group: Int, isKFormat: Bool) {
        let format = GroupedFormat(bits, group, isKFormat: isKFormat)
        let plain = (bits == 8 && [16, 32, 64].contains(group)) || (bits == 4 && [32, 64].contains(group))
        guard isKFormat ? [Self.q4_K, .q5_K, .q6_K].contains(format) : plain else { return nil }
        self = format
    }

    static let q4_K = GroupedFormat(4, 32, isKFormat: true)
    static let q5_K = GroupedFormat(5, 32, isKFormat: true)
    static let q6_K = GroupedFormat(6, 16, isKFormat: true)

    /// Groups that hold `depth` inputs; the last one is filled up with zeros.
    package func groups(_ depth: Int) -> Int { (depth + group - 1) / group }

    var kernelFormat: nephele_grouped_format {
        switch (bits, isKFormat) {
        case (4, false): NEPHELE_GROUPED_4
        case (4, true): NEPHELE_GROUPED_Q4_K
        case (5, _): NEPHELE_GROUPED_Q5_K
        case (6, _): NEPHELE_GROUPED_Q6_K
        default: NEPHELE_GROUPED_8
        }
    }

    /// The size of a panel of 16 outputs, in bytes.
    func panelBytes(_ depth: Int) -> Int { nephele_grouped_panel_bytes(kernelFormat, groups(depth), group) }
}

extension GroupedFormat: CustomStringConvertible {
    package var description: String {
        isKFormat ? "q\(bits)_k" : group == 64 ? "int\(bits)" : "int\(bits) in groups of \(group)"
    }
}
