/// Values that are held once each and known by their numbers, in the order in which they came.
struct Interner<Value: Hashable> {
    private(set) var values: [Value] = []
    private var numbers: [Value: Int32] = [:]

    subscript(number: Int32) -> Value { values[Int(number)] }
    var count: Int { values.count }

    func number(of value: Value) -> Int32? { numbers[value] }

    /// The number of a value, which is taken in where it is new.
    mutating func intern(_ value: Value) -> Int32 {
        if let known = numbers[value] { return known }
        let number = Int32(values.count)
        values.append(value)
        numbers[value] = number
        return number
    }
}
