internal import CKernels

extension Tensor {
    /// The same values in f32, exactly; an f32 tensor is returned as it is.
    ///
    /// - Throws: `TensorError.mismatch` for integers and for codes, which mean nothing without their scales.
    package func widened() throws(TensorError) -> Tensor {
        switch dtype {
        case .f32: return self
        case .bf16:
            let wide = try Tensor(zeros: shape)
            nephele_widen_bf16(raw, count, wide.f32)
            return wide
        case .f16:
            let wide = try Tensor(zeros: shape)
            nephele_widen_f16(raw, count, wide.f32)
            return wide
        case .i64, .i32, .i8, .u8, .f8e4m3:
            throw TensorError(.mismatch, "a floating-point tensor is needed, not \(dtype.rawValue) \(shape)")
        }
    }

    /// The nearest bf16 values, ties to even.
    package func narrowedToBF16() throws(TensorError) -> Tensor {
        let narrow = try Tensor(zeros: shape, dtype: .bf16)
        nephele_narrow_bf16(f32, count, narrow.raw)
        return narrow
    }

    /// The nearest f16 values, ties to even; beyond 65,504 infinity.
    package func narrowedToF16() throws(TensorError) -> Tensor {
        let narrow = try Tensor(zeros: shape, dtype: .f16)
        nephele_narrow_f16(f32, count, narrow.raw)
        return narrow
    }
}
