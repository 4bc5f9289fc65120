package import Tensors

extension Tape {
    /// Rotates heads (RoPE, arXiv 2104.09864), in the place of x `[R, H·D]`, which nobody may need unrotated.
    package func rotate(
        _ x: Variable, heads: Int, positions: [Int32], table: RotaryTable
    ) throws(TensorError) -> Variable {
        let value = try x.value(), device = device
        device.rope(value, heads: heads, positions: positions, table: table)
        let result = Variable(value, needsGradient: x.needsGradient)
        step(result) { dy in
            device.rope(dy, heads: heads, positions: positions, table: table, isGradient: true)
            x.receive(dy, on: device)
        }
        return result
    }

    /// Causal attention of each text's rows to those before them.
    ///
    /// - Parameters:
    ///   - q: `[R, H·D]`; k and v are `[R, G·D]`.
    ///   - texts: the rows of each; they cover all.
    package func attention(
        _ attention: Device.TextAttention, q: Variable, k: Variable, v: Variable, texts: [Range<Int>]
    ) throws(TensorError) -> Variable {
        precondition(texts.reduce(0) { $0 + $1.count } == q.rows, "texts \(texts) of \(q.rows) rows")
        let y = try keep(q.rows, width: q.width), device = device
        let logSums = try keep(1, width: attention.heads * q.rows)
        func logSumsOf(_ text: Range<Int>) -> Tensor {
            let first = text.lowerBound * attention.heads
            return logSums.reshaped([logSums.count]).rows(first..<first + text.count * attention.heads)
        }
        let (queries, keys, values) = (try q.value(), try k.value(), try v.value())
        for text in texts {
            try device.textAttention(
                attention, q: queries.rows(text), k: keys.rows(text), v: values.rows(text), into: y.rows(text),
                logSums: logSumsOf(text))
        }
        let result = Variable(y, needsGradient: q.needsGradient || k.needsGradient || v.needsGradient)
        step(result) { dy throws(TensorError) in
            let (queries, keys, values) = (try q.value(), try k.value(), try v.value())
            let dq = try device.makeRows(q.rows, width: q.width)
            let dk = try device.makeRows(k.rows, width: k.width), dv = try device.makeRows(v.rows, width: v.width)
            for text in texts {
                try device.textAttentionGradients(
                    attention, q: queries.rows(text), k: keys.rows(text), v: values.rows(text), y: y.rows(text),
                    logSums: logSumsOf(text), dy: dy.rows(text), into: dq.rows(text), dk.rows(text), dv.rows(text))
            }
            q.receive(dq, on: device)
            k.receive(dk, on: device)
            v.receive(dv, on: device)
        }
        return result
    }
}
