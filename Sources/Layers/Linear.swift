package import Tensors

/// A linear layer y = x Wᵀ + b (+ residual), with what adapters add to it.
package struct Linear: Sendable {
    package let weight: PackedMatrix  // [N, K]
    package let bias: Tensor?  // [N]
    /// The number by which adapters know the layer.
    package let number: Int

    package init(weight: PackedMatrix, bias: Tensor?, number: Int) {
        (self.weight, self.bias, self.number) = (weight, bias, number)
    }

    /// N, the output width.
    package var columns: Int { weight.columns }

    /// `[R, K]` → `[R, N]`, in new rows of the workspace.
    package func callAsFunction(
        _ x: Tensor, _ adapters: AdapterRows, residual: Tensor? = nil, on device: Device
    ) throws(TensorError) -> Tensor {
        let y = try device.makeRows(x.rowCount, width: weight.columns)
        try self(x, adapters, residual: residual, into: y, on: device)
        return y
    }

    /// `[R, K]` → `y` `[R, N]`; `residual` may be `y`.
    package func callAsFunction(
        _ x: Tensor, _ adapters: AdapterRows, residual: Tensor? = nil, into y: Tensor, on device: Device
    ) throws(TensorError) {
        try device.matmul(x, weight, bias: bias, residual: residual, into: y)
        try adapters.add(to: y, of: x, self, on: device)
    }

    /// Computes two layers of the same rows in one call.
    package static func together(
        _ first: Linear, _ second: Linear, _ x: Tensor, _ adapters: AdapterRows, on device: Device
    ) throws(TensorError) -> (Tensor, Tensor) {
        let (y, z) = (try first.product(x, on: device), try second.product(x, on: device))
        try device.matmul(x, y, z)
        try adapters.add(to: y.y, of: x, first, on: device)
        try adapters.add(to: z.y, of: x, second, on: device)
        return (y.y, z.y)
    }

    /// Computes three layers of the same rows in one call.
    package static func together(
        _ first: Linear, _ second: Linear, _ third: Linear, _ x: Tensor, _ adapters: AdapterRows, on device: Device
    ) throws(TensorError) -> (Tensor, Tensor, Tensor) {
        let (u, v) = (try first.product(x, on: device), try second.product(x, on: device))
        let w = try third.product(x, on: device)
        try device.matmul(x, u, v, w)
        try adapters.add(to: u.y, of: x, first, on: device)
        try adapters.add(to: v.y, of: x, second, on: device)
        try adapters.add(to: w.y, of: x, third, on: device)
        return (u.y, v.y, w.y)
    }

    private func product(_ x: Tensor, on device: Device) throws(TensorError) -> Device.Product {
        Device.Product(weight, bias: bias, into: try device.makeRows(x.rowCount, width: columns))
    }
}
