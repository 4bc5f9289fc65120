import Autograd
package import Tensors

/// Processes that make a run's steps together, each with some of the parts of a batch.
package protocol TrainingGroup {
    /// Of this process, from 0.
    var rank: Int { get }
    /// Processes; a power of two.
    var count: Int { get }

    /// Sends `own` to another process, and takes what that one sends at the same time.
    ///
    /// - Throws: `TrainingError.internalError` where the other one is not there any more.
    func exchange(_ own: Tensor, with partner: Int, into other: Tensor) throws

    func exchange(_ own: Double, with partner: Int) throws -> Double
}

/// Adds the gradients of a batch's parts pair by pair, then the sums pair by pair, and so on: a tree that the number of parts
/// fixes, whichever process computes which part. Additions commute, so that all processes have the same bits.
struct GradientTree {
    private let parameters: [Parameter]
    private let device: Device
    private let group: (any TrainingGroup)?
    /// Of this process.
    let parts: Range<Int>
    /// Sums that wait for their neighbour, one a level.
    private let levels: [[Tensor]]

    private static let chunk = 1 << 20

    /// - Parameters:
    ///   - parts: of a batch; a power of two, and a multiple of the group's processes.
    /// - Throws: `TensorError.tooLarge` when memory cannot be had.
    init(_ parameters: [Parameter], parts count: Int, _ group: (any TrainingGroup)?, on device: Device)
        throws(TensorError)
    {
        let processes = group?.count ?? 1, own = count / processes, rank = group?.rank ?? 0
        precondition(
            own * processes == count && count.nonzeroBitCount == 1, "\(count) parts for \(processes) processes")
        (self.parameters, self.group, self.device) = (parameters, group, device)
        parts = rank * own..<(rank + 1) * own
        levels = try (0..<own.trailingZeroBitCount).map { _ throws(TensorError) in
            try parameters.map { parameter throws(TensorError) in try Tensor(zeros: parameter.value.shape) }
        }
    }

    /// The sum over all parts, left in the parameters' gradients, which are zero before.
    ///
    /// - Parameter add: adds the gradients of a part, and returns its loss.
    /// - Returns: the sum of the losses, in the same tree.
    func sum(_ add: (Int) throws -> Double) throws -> Double {
        var losses = Array(repeating: 0.0, count: levels.count), loss = 0.0
        for part in parts {
            loss = try add(part)
            let number = part - parts.lowerBound
            var level = 0
            while number >> level & 1 == 1 {
                for (parameter, waiting) in zip(parameters, levels[level]) {
                    device.combine(waiting, parameter.gradient, into: parameter.gradient)
                }
                loss += losses[level]
                level += 1
            }
            guard part + 1 < parts.upperBound else { break }
            losses[level] = loss
            for (parameter, waiting) in zip(parameters, levels[level]) {
                waiting.copy(from: parameter.gradient)
                parameter.clearGradient()
            }
        }
        guard let group, group.count > 1 else { return loss }
        return try sum(loss, over: group)
    }

    private func sum(_ own: Double, over group: any TrainingGroup) throws -> Double {
        var loss = own, stride = 1
        let room = try Tensor(uninitialized: [Self.chunk])
        while stride < group.count {
            let partner = group.rank ^ stride
            for parameter in parameters {
                let flat = parameter.gradient.reshaped([parameter.gradient.count])
                for first in Swift.stride(from: 0, to: flat.count, by: Self.chunk) {
                    let part = flat.rows(first..<min(first + Self.chunk, flat.count)), other = room.rows(0..<part.count)
                    try group.exchange(part, with: partner, into: other)
                    device.combine(part, other, into: part)
                }
            }
            loss += try group.exchange(loss, with: partner)
            stride *= 2
        }
        return loss
    }
}
