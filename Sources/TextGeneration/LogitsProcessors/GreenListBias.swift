import Watermarking

/// The watermark of arXiv 2301.10226: favours the tokens on the green list that the tokens before them give.
struct GreenListBias: LogitsProcessor {
    private let greenList: GreenList
    /// The last tokens of prompt and answer, as many as the list depends on.
    private var context: ArraySlice<Int32>

    init(_ greenList: GreenList, prompt: [Int32]) {
        self.greenList = greenList
        context = prompt.suffix(greenList.contextWidth)
    }

    var keepsArgmax: Bool { false }

    mutating func advance(_ id: Int32) { context = (context + [id]).suffix(greenList.contextWidth) }

    func apply(_ logits: inout [Float]) { greenList.colours(after: context)?.favour(&logits) }
}
