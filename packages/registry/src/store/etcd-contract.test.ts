import { etcdContract } from "../../../../testbed/etcd-contract.ts";
import { fakeEtcd, realEtcd } from "../../../../testbed/etcd-under-contract.ts";

etcdContract("etcd", realEtcd);
etcdContract("the fake etcd", fakeEtcd);
